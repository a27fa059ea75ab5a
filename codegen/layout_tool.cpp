#include "codegen/layout_tool.h"

#include <exception>
#include <string>

#include "codegen/layout/draw.h"
#include "codegen/layout/eval.h"
#include "codegen/layout/explain.h"

namespace tailor::codegen {
namespace {

// Memory may run out in any of them; a caller in another library sees a Status.
template <class Make>
Expected<std::string> caught(Make make) {
  try {
    return make();
  } catch (const std::exception& error) {
    return internal_error(std::string("the layout engine failed: ") + error.what());
  }
}

class Tool final : public LayoutTool {
 public:
  std::string evaluate_line(std::string_view json_line) override {
    try {
      return layout::evaluate_line(json_line);
    } catch (const std::exception&) {
      return R"({"ok":false,"reason":"out of memory"})";
    }
  }
  Expected<std::string> explain(std::string_view json) override {
    return caught([&] { return layout::explain_json(json); });
  }
  Expected<std::string> draw(std::string_view json) override {
    return caught([&] { return layout::draw_json(json); });
  }
};

}  // namespace

std::unique_ptr<LayoutTool> make_layout_tool() { return std::make_unique<Tool>(); }

}  // namespace tailor::codegen

tailor::LayoutTool* tailor_create_layout_tool() {
  try {
    return tailor::codegen::make_layout_tool().release();
  } catch (const std::exception&) {
    return nullptr;
  }
}
