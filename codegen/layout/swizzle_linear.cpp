#include "codegen/layout/swizzle_linear.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>

namespace tailor::codegen::layout {
namespace {

// A dword as its row bits (byte address without the bits below the lowest row bit, shifted down) and its bank.
struct Item {
  uint32_t row = 0;
  uint32_t bank = 0;
  friend auto operator<=>(const Item&, const Item&) = default;
};

struct Group {
  std::vector<Item> items;  // by the highest row bit, so that those placed by a partial map come first
  int banks = 32;
  int64_t times = 1;
  int64_t ideal = 0;
};

// Target bits that each source bit may go to, as a mask of bank bits (bit 0 is byte address bit 2).
struct Source {
  int address_bit = 0;
  uint32_t targets = 0;
  std::vector<uint32_t> images;  // every subset of the targets: few bits first, then small first
};

struct Family {
  int row_base = 0;  // the lowest address bit that selects a row of banks in some model
  std::vector<Source> sources;
};

int log2_of(int64_t n) { return std::countr_zero(static_cast<uint64_t>(n)); }

Family make_family(const SwizzleRequest& request, int granule_bits) {
  const int64_t bytes = request.rows * request.row_bytes;
  int lowest = 62;
  int highest = 0;
  for (const TileAccess& access : request.accesses) {
    lowest = std::min(lowest, log2_of(int64_t{4} * access.model->banks));
    highest = std::max(highest, log2_of(int64_t{4} * access.model->banks));
  }
  // Changed bits stay within blocks of which the tile has whole ones, so that it is mapped onto itself.
  highest = std::min(highest, log2_of(bytes));
  Family family{lowest, {}};
  const int end = static_cast<int>(std::bit_width(static_cast<uint64_t>(bytes - 1)));
  for (int bit = lowest; bit < end; ++bit) {
    Source source{bit, 0, {}};
    for (int target = std::max(granule_bits, 2); target < std::min(bit, highest); ++target) {
      source.targets |= uint32_t{1} << (target - 2);
    }
    for (uint32_t subset = source.targets;; subset = (subset - 1) & source.targets) {
      source.images.push_back(subset);
      if (subset == 0) break;
    }
    std::sort(source.images.begin(), source.images.end(),
              [](uint32_t a, uint32_t b) { return std::pair(std::popcount(a), a) < std::pair(std::popcount(b), b); });
    family.sources.push_back(std::move(source));
  }
  return family;
}

// Where all is counted from: the group's first item becomes (0, 0). Equal groups become one.
std::vector<Group> make_groups(const SwizzleRequest& request, const Family& family) {
  std::map<std::pair<int, std::vector<Item>>, int64_t> counted;
  for (const TileAccess& access : request.accesses) {
    const BankModel& model = *access.model;
    const auto lanes = static_cast<size_t>(model.lanes);
    for (const std::vector<TileByte>& issue : access.issues) {
      for (size_t part = 0; part < static_cast<size_t>(model.parts); ++part) {
        for (const LaneGroup& group : model.groups) {
          std::vector<Item> items;
          for (const LaneRange& range : group) {
            for (int lane = range.first; lane <= range.last; ++lane) {
              const TileByte& at = issue[part * lanes + static_cast<size_t>(lane)];
              if (at.row == kInactiveLane) continue;
              const int64_t address = at.row * request.row_bytes + at.byte;
              for (int64_t dword = address / 4; dword <= (address + model.bytes - 1) / 4; ++dword) {
                items.push_back(
                    {static_cast<uint32_t>(dword * 4 >> family.row_base), static_cast<uint32_t>(dword % model.banks)});
              }
            }
          }
          std::sort(items.begin(), items.end());
          items.erase(std::unique(items.begin(), items.end()), items.end());
          if (items.empty()) continue;
          const Item origin = items.front();
          for (Item& item : items) item = {item.row ^ origin.row, item.bank ^ origin.bank};
          std::sort(items.begin(), items.end());
          ++counted[{model.banks, std::move(items)}];
        }
      }
    }
  }
  std::vector<Group> groups;
  for (const auto& [key, times] : counted) {
    const auto n = static_cast<int64_t>(key.second.size());
    groups.push_back({key.second, key.first, times, (n + key.first - 1) / key.first});
  }
  return groups;
}

class Search {
 public:
  Search(const Family& family, const std::vector<Group>& groups, int64_t ideal)
      : family_(family), groups_(groups), ideal_(ideal), images_(family.sources.size(), 0) {}

  // The best below `cost`, if there is one.
  void run(int64_t cost) {
    best_ = cost;
    descend(0);
  }

  int64_t best() const { return best_; }
  const std::vector<uint32_t>& image_of_sources() const { return best_images_; }
  int64_t nodes() const { return nodes_; }
  bool exhausted() const { return !cut_; }

 private:
  // Passes that the lanes placed by the first `assigned` source bits take, at least the ideal.
  int64_t bound(size_t assigned) const {
    const uint32_t placed = (uint32_t{1} << assigned) - 1;
    int64_t cost = 0;
    for (const Group& group : groups_) {
      std::array<uint16_t, 64> load{};
      int64_t worst = group.ideal;
      for (const Item& item : group.items) {
        if ((item.row & ~placed) != 0) break;  // sorted by row: the rest has higher bits
        uint32_t bank = item.bank;
        for (uint32_t row = item.row; row != 0; row &= row - 1) {
          bank ^= images_[static_cast<size_t>(std::countr_zero(row))];
        }
        bank &= static_cast<uint32_t>(group.banks - 1);
        worst = std::max<int64_t>(worst, ++load[bank]);
      }
      cost += worst * group.times;
    }
    return cost;
  }

  void descend(size_t assigned) {
    if (best_ == ideal_) return;
    if (nodes_ >= kMaxSearchNodes) {
      cut_ = true;
      return;
    }
    ++nodes_;
    const int64_t cost = bound(assigned);
    if (cost >= best_) return;
    if (assigned == family_.sources.size()) {
      best_ = cost;
      best_images_ = images_;
      return;
    }
    for (uint32_t image : family_.sources[assigned].images) {
      images_[assigned] = image;
      descend(assigned + 1);
      if (best_ == ideal_ || cut_) break;
    }
    images_[assigned] = 0;
  }

  const Family& family_;
  const std::vector<Group>& groups_;
  int64_t ideal_ = 0;
  std::vector<uint32_t> images_;
  std::vector<uint32_t> best_images_;
  int64_t best_ = 0;
  int64_t nodes_ = 0;
  bool cut_ = false;
};

}  // namespace

void search_linear(const SwizzleRequest& request, int granule_bits, SwizzleSearch& search) {
  const Family family = make_family(request, granule_bits);
  for (const Source& source : family.sources) search.linear_bits += std::popcount(source.targets);
  const std::vector<Group> groups = make_groups(request, family);
  Search tree(family, groups, search.ideal);
  tree.run(search.plain_cost);
  search.linear_cost = tree.best();
  search.linear_nodes = tree.nodes();
  search.linear_verdict = search.linear_cost == search.ideal ? SearchVerdict::kFound
                          : tree.exhausted()                 ? SearchVerdict::kNone
                                                             : SearchVerdict::kUndecided;
  if (tree.image_of_sources().empty()) return;
  std::vector<uint64_t> columns = integer::F2Map::identity(family.sources.back().address_bit + 1).columns();
  for (size_t i = 0; i < family.sources.size(); ++i) {
    columns[static_cast<size_t>(family.sources[i].address_bit)] ^= uint64_t{tree.image_of_sources()[i]} << 2;
  }
  if (auto map = integer::F2Map::create(std::move(columns)); map.ok()) search.linear = map->normalized();
}

}  // namespace tailor::codegen::layout
