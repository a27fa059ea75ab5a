#include "codegen/layout/draw.h"

#include "codegen/layout/draw_scene.h"

namespace tailor::codegen::layout {

Expected<std::string> draw_json(std::string_view request) {
  TAILOR_ASSIGN_OR_RETURN(const Scene scene, make_scene(request));
  return to_svg(scene);
}

}  // namespace tailor::codegen::layout
