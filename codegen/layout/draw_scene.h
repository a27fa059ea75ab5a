// What a picture of a layout shows, before it is SVG: cells with index, address, owner and marks. Private to
// codegen/layout; the request is described in draw.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tailor/status.h"

namespace tailor::codegen::layout {

constexpr int64_t kMaxCells = 4096;

enum class CellState : uint8_t { kFull, kTail, kGuarded };

struct Cell {
  int64_t index = 0;
  CellState state = CellState::kFull;
  int64_t address = 0;            // elements; of no meaning when guarded
  std::optional<int64_t> thread;  // the one that owns the index first
  int64_t sharers = 0;            // further threads that own it
  std::optional<int64_t> bank;    // of the first byte
  size_t piece = 0;
};

struct Scene {
  std::string title;
  std::string subtitle;
  std::string row_name;     // "m0", "i"
  std::string column_name;  // "m1", "j*k"
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<Cell> cells;  // row by row
  int64_t threads = 0;      // 0: not coloured by thread
  int64_t banks = 0;        // 0: not marked
  int64_t bank_stride = 1;  // banks per element
  size_t pieces = 1;
  std::vector<std::string> piece_texts;  // guards, when there is more than one piece
  int64_t vector = 0;
  // Passes that lanes reading a row or a column together take; empty without banks.
  struct Passes {
    int64_t cost = 0;
    int64_t ideal = 0;  // cost without any conflict
  };
  std::vector<Passes> row_passes;
  std::vector<Passes> column_passes;
  std::vector<std::string> notes;  // sentences under the legend
};

Expected<Scene> make_scene(std::string_view request);
std::string to_svg(const Scene& scene);

}  // namespace tailor::codegen::layout
