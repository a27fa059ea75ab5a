// Request → Scene; members are described in draw.h.
#include "codegen/layout/draw_scene.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/layout/banks.h"
#include "codegen/layout/composed_layout.h"
#include "codegen/layout/cute_notation.h"
#include "codegen/layout/explain_request.h"

namespace tailor::codegen::layout {
namespace {

// Columns of a layout of one mode, which is wrapped.
constexpr int64_t kWrap = 16;
constexpr int64_t kMaxAddress = int64_t{1} << 56;  // so that bytes fit into 64 bits

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

struct Question {
  AnyLayout layout;
  Assignment values;
  std::vector<Constraint> guards;
  int64_t elem_bytes = 4;
};

Expected<Assignment> read_values(const Request& request) {
  Assignment values;
  const nlohmann::json* object = request.find("values");
  if (object == nullptr) return values;
  if (!object->is_object()) return invalid_argument("'values' must be an object of integers");
  for (const auto& [name, value] : object->items()) {
    const bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() >> 62 == 0);
    if (!fits) return invalid_argument(fmt::format("the value of '{}' must be an integer", name));
    values[name] = value.get<int64_t>();
  }
  return values;
}

Expected<std::vector<Constraint>> read_guards(const Request& request) {
  TAILOR_ASSIGN_OR_RETURN(const std::vector<std::string> texts, request.texts("guard"));
  std::vector<Constraint> guards;
  constexpr std::string_view kAnd = " and ";
  for (std::string_view text : texts) {
    for (size_t end = 0; end != std::string_view::npos;) {
      end = text.find(kAnd);
      TAILOR_ASSIGN_OR_RETURN(Constraint guard, Constraint::parse(text.substr(0, end)));
      guards.push_back(std::move(guard));
      if (end != std::string_view::npos) text.remove_prefix(end + kAnd.size());
    }
  }
  return guards;
}

Expected<Question> read(const Request& request) {
  Question q;
  if (!request.has("layout")) return invalid_argument("the request has no 'layout'");
  TAILOR_ASSIGN_OR_RETURN(const std::string layout, request.text("layout", ""));
  TAILOR_ASSIGN_OR_RETURN(q.layout, parse_any_layout(layout));
  TAILOR_ASSIGN_OR_RETURN(const std::string swizzle, request.text("swizzle", ""));
  if (!swizzle.empty()) {
    if (q.layout.factor) return invalid_argument("the layout has a swizzle already; 'swizzle' would be a second");
    TAILOR_ASSIGN_OR_RETURN(const ComposedLayout factor, ComposedLayout::parse(swizzle + " o 1:0"));
    if (factor.has_factor()) q.layout.factor = factor.factor();
    q.layout.factor_text = swizzle;
  }
  TAILOR_ASSIGN_OR_RETURN(q.values, read_values(request));
  TAILOR_ASSIGN_OR_RETURN(q.guards, read_guards(request));
  TAILOR_ASSIGN_OR_RETURN(q.elem_bytes, request.integer("element_bytes", 4, 1, 16));
  if (q.layout.guarded.outputs() != 1) {
    return invalid_argument(fmt::format("the layout has {} outputs; a picture shows one", q.layout.guarded.outputs()));
  }
  return q;
}

// Extents, and how a cell's index becomes coordinates and a place in the grid.
struct Grid {
  std::vector<int64_t> extents;
  std::vector<size_t> order;  // dimensions, fastest first, that an index runs through
  int64_t size = 1;
  int64_t row_size = 1;   // product of the extents of the row dimensions
  bool rows_fast = true;  // the row is index mod row_size, as in CuTe; else index / columns
  bool wrapped = false;   // one mode
};

Expected<Grid> make_grid(const Question& q, Scene& scene) {
  const GuardedAffineLayout& layout = q.layout.guarded;
  Grid grid;
  std::vector<std::string> names;
  for (const Dim& dim : layout.dims()) {
    for (const std::string& symbol : dim.extent.symbols()) {
      if (!q.values.contains(symbol)) {
        return invalid_argument(fmt::format("the parameter {} has no value; give it in 'values'", symbol));
      }
    }
    TAILOR_ASSIGN_OR_RETURN(const int64_t extent, dim.extent.evaluate(q.values));
    if (extent < 1)
      return invalid_argument(fmt::format("extent of {} is {}; there is nothing to draw", dim.name, extent));
    if (extent > kMaxCells || grid.size > kMaxCells / extent) {
      return invalid_argument(
          fmt::format("the layout has more than {} cells; a picture of it could not be read", kMaxCells));
    }
    grid.size *= extent;
    grid.extents.push_back(extent);
    names.push_back(dim.name);
  }
  const bool cute = !q.layout.mode_leaves.empty();
  grid.rows_fast = cute;
  const size_t row_dims = cute ? q.layout.mode_leaves[0] : std::min<size_t>(1, names.size());
  for (size_t i = 0; i < row_dims; ++i) grid.row_size *= grid.extents[i];
  for (size_t i = 0; i < names.size(); ++i) grid.order.push_back(cute ? i : names.size() - 1 - i);
  grid.wrapped = row_dims == names.size();
  if (grid.wrapped) {
    const int64_t wrap = grid.size <= 2 * kWrap ? grid.size : kWrap;
    scene.columns = wrap;
    scene.rows = (grid.size + wrap - 1) / wrap;
    const std::string name = fmt::format("{}", fmt::join(names, ","));
    scene.row_name = scene.rows > 1 ? fmt::format("{} / {}", name, wrap) : "";
    scene.column_name = scene.rows > 1 ? fmt::format("{} mod {}", name, wrap) : name;
    return grid;
  }
  scene.rows = grid.row_size;
  scene.columns = grid.size / grid.row_size;
  const auto split = names.begin() + static_cast<ptrdiff_t>(row_dims);
  scene.row_name = fmt::format("{}", fmt::join(names.begin(), split, ","));
  scene.column_name = fmt::format("{}", fmt::join(split, names.end(), ","));
  return grid;
}

int64_t index_at(const Grid& grid, const Scene& scene, int64_t row, int64_t column) {
  return grid.wrapped || !grid.rows_fast ? row * scene.columns + column : row + column * grid.row_size;
}

// The piece that holds at the point; 0 when none does.
Expected<size_t> piece_at(const GuardedAffineLayout& layout, const Assignment& at) {
  for (size_t p = 0; p < layout.pieces().size(); ++p) {
    bool holds = true;
    for (const Constraint& guard : layout.pieces()[p].guard) {
      TAILOR_ASSIGN_OR_RETURN(const bool one, guard.holds(at));
      holds = holds && one;
    }
    if (holds) return p;
  }
  return size_t{0};
}

Expected<Cell> make_cell(const Question& q, const Grid& grid, int64_t index) {
  Cell cell;
  cell.index = index;
  std::vector<int64_t> point(grid.extents.size());
  Assignment at = q.values;
  int64_t rest = index;
  for (size_t dim : grid.order) {
    point[dim] = rest % grid.extents[dim];
    rest /= grid.extents[dim];
    at[q.layout.guarded.dims()[dim].name] = point[dim];
  }
  TAILOR_ASSIGN_OR_RETURN(const auto value, q.layout.guarded.evaluate(point, q.values));
  bool inside = value.has_value();
  for (const Constraint& guard : q.guards) {
    TAILOR_ASSIGN_OR_RETURN(const bool holds, guard.holds(at));
    inside = inside && holds;
  }
  if (!inside) {
    cell.state = CellState::kGuarded;
    return cell;
  }
  cell.address = (*value)[0];
  if (cell.address > kMaxAddress || cell.address < -kMaxAddress) {
    return invalid_argument(fmt::format("index {} has address {}; a picture shows up to 2^56", index, cell.address));
  }
  if (q.layout.factor) {
    if (cell.address < 0) {
      return invalid_argument(
          fmt::format("index {} has address {}; a swizzle needs addresses of at least 0", index, cell.address));
    }
    cell.address = static_cast<int64_t>(q.layout.factor->apply_extended(static_cast<uint64_t>(cell.address)));
  }
  TAILOR_ASSIGN_OR_RETURN(cell.piece, piece_at(q.layout.guarded, at));
  return cell;
}

Status assign_threads(const Request& request, const Grid& grid, std::map<int64_t, Cell*>& by_index, Scene& scene) {
  const nlohmann::json* threads = request.find("threads");
  if (threads == nullptr) return {};
  if (!threads->is_string()) {
    TAILOR_ASSIGN_OR_RETURN(scene.threads, request.integer("threads", 0, 1, kMaxCells));
    for (auto& [index, cell] : by_index) cell->thread = index % scene.threads;
    return {};
  }
  TAILOR_ASSIGN_OR_RETURN(const StridedLayout owners, parse_cute(threads->get<std::string>()));
  const Mode& root = owners.root();
  TAILOR_ASSIGN_OR_RETURN(const StridedLayout first,
                          StridedLayout::create(root.group && !root.modes.empty() ? root.modes[0] : root));
  scene.threads = first.size();
  if (scene.threads < 1) return invalid_argument("'threads' has no thread: its first mode is empty");
  TAILOR_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, owners.values(kMaxCells));
  std::set<std::pair<int64_t, int64_t>> owned;  // index, thread
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= grid.size) {
      return invalid_argument(
          fmt::format("'threads' names index {}; the layout has indices 0 to {}", indices[i], grid.size - 1));
    }
    Cell* cell = by_index[indices[i]];
    const int64_t thread = static_cast<int64_t>(i) % scene.threads;
    if (!owned.emplace(indices[i], thread).second) continue;
    cell->sharers += cell->thread ? 1 : 0;
    cell->thread = cell->thread.value_or(thread);
  }
  return {};
}

// Passes that lanes take which read these cells together, `width` bytes each, in chunks of as many lanes as there are.
Status count_passes(const BankModel& model, int64_t elem_bytes, const std::vector<const Cell*>& cells,
                    Scene::Passes& passes) {
  std::vector<int64_t> addresses;
  std::set<int64_t> seen;
  for (const Cell* cell : cells) {
    if (cell->state == CellState::kGuarded) continue;
    const int64_t address = cell->address * elem_bytes / model.bytes * model.bytes;
    if (seen.insert(address).second) addresses.push_back(address);
  }
  const auto lanes = static_cast<size_t>(model.lanes);
  for (size_t first = 0; first < addresses.size(); first += lanes) {
    LaneAddresses chunk(lanes, kInactiveLane);
    std::copy_n(addresses.begin() + static_cast<ptrdiff_t>(first), std::min(lanes, addresses.size() - first),
                chunk.begin());
    TAILOR_ASSIGN_OR_RETURN(const BankConflicts conflicts, count_conflicts(model, chunk));
    passes.cost += conflicts.cost;
    passes.ideal += conflicts.ideal;
  }
  return {};
}

Expected<const BankModel*> read_bank_model(const Request& request, int64_t elem_bytes) {
  const nlohmann::json& banks = *request.find("banks");
  std::string arch = banks.is_string() ? banks.get<std::string>() : "nvidia";
  int64_t width = elem_bytes;
  if (!banks.is_string()) {
    TAILOR_ASSIGN_OR_RETURN(
        const Request object,
        Request::parse(banks.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), {"arch", "width"}));
    TAILOR_ASSIGN_OR_RETURN(arch, object.text("arch", arch));
    TAILOR_ASSIGN_OR_RETURN(width, object.integer("width", elem_bytes, elem_bytes, 16));
  }
  const auto found = find_bank_model(arch, static_cast<int>(width), false);
  if (!found.ok()) return invalid_argument("'banks': " + found.status().message());
  const BankModel* model = *found;
  if (model->bytes % elem_bytes != 0 || model->parts != 1) {
    return invalid_argument(fmt::format("lanes of {} bytes do not hold whole elements of {}", width, elem_bytes));
  }
  return model;
}

Status mark_banks(const Request& request, int64_t elem_bytes, Scene& scene) {
  if (!request.has("banks")) return {};
  TAILOR_ASSIGN_OR_RETURN(const BankModel* model, read_bank_model(request, elem_bytes));
  scene.banks = model->banks;
  scene.bank_stride = std::max<int64_t>(1, elem_bytes / 4);
  std::vector<std::vector<const Cell*>> rows(static_cast<size_t>(scene.rows));
  std::vector<std::vector<const Cell*>> columns(static_cast<size_t>(scene.columns));
  for (size_t i = 0; i < scene.cells.size(); ++i) {
    Cell& cell = scene.cells[i];
    if (cell.state != CellState::kGuarded) {
      if (cell.address < 0) return invalid_argument("banks need addresses of at least 0");
      cell.bank = cell.address * elem_bytes / 4 % model->banks;
    }
    rows[i / static_cast<size_t>(scene.columns)].push_back(&cell);
    columns[i % static_cast<size_t>(scene.columns)].push_back(&cell);
  }
  for (const auto& row : rows) {
    TAILOR_RETURN_IF_ERROR(count_passes(*model, elem_bytes, row, scene.row_passes.emplace_back()));
  }
  for (const auto& column : columns) {
    TAILOR_RETURN_IF_ERROR(count_passes(*model, elem_bytes, column, scene.column_passes.emplace_back()));
  }
  scene.notes.push_back(
      fmt::format("×n: passes of {} ({}) when lanes read the row or the column together; green: as few as can be, "
                  "red: lanes meet in a bank",
                  model->opcode, model->arch));
  return {};
}

// Tail: the aligned vector that the cell's address is in is not wholly in the layout.
Status mark_tails(const Request& request, Scene& scene) {
  TAILOR_ASSIGN_OR_RETURN(scene.vector, request.integer("vector", 0, 1, 256));
  if (scene.vector == 0) return {};
  std::map<int64_t, std::set<int64_t>> filled;
  for (const Cell& cell : scene.cells) {
    if (cell.state != CellState::kGuarded) filled[floor_div(cell.address, scene.vector)].insert(cell.address);
  }
  for (Cell& cell : scene.cells) {
    if (cell.state == CellState::kGuarded) continue;
    const auto& vector = filled[floor_div(cell.address, scene.vector)];
    if (static_cast<int64_t>(vector.size()) < scene.vector) cell.state = CellState::kTail;
  }
  return {};
}

std::string describe(const Question& q, const Scene& scene) {
  std::string text = fmt::format("{} indices, element of {} bytes", scene.cells.size(), q.elem_bytes);
  for (const auto& [name, value] : q.values) text += fmt::format(", {} = {}", name, value);
  return text;
}

void name_guards(const Question& q, Scene& scene) {
  const std::vector<Piece>& pieces = q.layout.guarded.pieces();
  scene.pieces = std::max<size_t>(1, pieces.size());
  for (const Piece& piece : pieces) {
    std::string text;
    for (const Constraint& guard : piece.guard) text += (text.empty() ? "" : " and ") + guard.to_string();
    scene.piece_texts.push_back(text.empty() ? "everywhere" : text);
  }
  for (const Constraint& guard : q.guards) scene.notes.push_back("guard: " + guard.to_string());
  if (pieces.size() == 1 && !pieces[0].guard.empty()) scene.notes.push_back("guard: " + scene.piece_texts[0]);
}

}  // namespace

Expected<Scene> make_scene(std::string_view json) {
  TAILOR_ASSIGN_OR_RETURN(const Request request, Request::parse(json, {"layout", "swizzle", "threads", "banks", "guard",
                                                                       "values", "vector", "element_bytes", "title"}));
  TAILOR_ASSIGN_OR_RETURN(const Question q, read(request));
  Scene scene;
  TAILOR_ASSIGN_OR_RETURN(const Grid grid, make_grid(q, scene));
  TAILOR_ASSIGN_OR_RETURN(const std::string layout, request.text("layout", ""));
  TAILOR_ASSIGN_OR_RETURN(const std::string swizzle, request.text("swizzle", ""));
  TAILOR_ASSIGN_OR_RETURN(scene.title, request.text("title", swizzle.empty() ? layout : swizzle + " o " + layout));
  for (int64_t place = 0; place < scene.rows * scene.columns; ++place) {
    const int64_t index = index_at(grid, scene, place / scene.columns, place % scene.columns);
    if (index >= grid.size) break;  // the last line of a wrapped layout
    TAILOR_ASSIGN_OR_RETURN(Cell cell, make_cell(q, grid, index));
    scene.cells.push_back(cell);
  }
  std::map<int64_t, Cell*> by_index;
  for (Cell& cell : scene.cells) by_index[cell.index] = &cell;
  scene.subtitle = describe(q, scene);
  name_guards(q, scene);
  TAILOR_RETURN_IF_ERROR(assign_threads(request, grid, by_index, scene));
  TAILOR_RETURN_IF_ERROR(mark_banks(request, q.elem_bytes, scene));
  TAILOR_RETURN_IF_ERROR(mark_tails(request, scene));
  return scene;
}

}  // namespace tailor::codegen::layout
