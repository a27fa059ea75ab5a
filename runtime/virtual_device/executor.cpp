#include "runtime/virtual_device/executor.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "runtime/virtual_device/block.h"
#include "runtime/virtual_device/print.h"

namespace tailor::virtual_device {
namespace {

// Warp-instructions of one split before others get their turn. Large, since a turn ends early at every barrier anyway;
// it bounds how long a spinning warp keeps the others from running.
constexpr uint64_t kQuantum = 1u << 16;

enum class Turn : uint8_t { kFinished, kBlocked, kQuantumSpent, kFault };

constexpr std::string_view kSpaceNames[] = {"global", "shared", "local", "generic", "parameter"};

class Launch {
 public:
  explicit Launch(const LaunchRequest& request)
      : request_(request),
        program_(*request.program),
        threads_(request.block[0] * request.block[1] * request.block[2]),
        warps_((threads_ + kLanes - 1) / kLanes),
        shared_bytes_(program_.dynamic_shared_offset + request.dynamic_shared_bytes),
        sites_(program_.sites),
        run_(program_.run) {
    shared_bytes_ = std::max(shared_bytes_, program_.static_shared_bytes);
    for (auto& ids : thread_ids_) ids.resize(size_t{warps_} * kLanes);
    for (uint32_t t = 0; t < warps_ * kLanes; ++t) {
      thread_ids_[0][t] = t % request.block[0];
      thread_ids_[1][t] = t / request.block[0] % request.block[1];
      thread_ids_[2][t] = t / request.block[0] / request.block[1] % request.block[2];
    }
    result_.counters.launches = 1;
    prepare_context();
  }

  LaunchResult run() {
    const uint64_t blocks = uint64_t{request_.grid[0]} * request_.grid[1] * request_.grid[2];
    uint64_t next = 0;
    bool widen = true;
    size_t turn = 0;
    while (next < blocks || !resident_.empty()) {
      if (next < blocks && (resident_.empty() || (widen && resident_.size() < request_.resident_blocks))) {
        resident_.push_back(start_block(next++));
        turn = resident_.size() - 1;
        widen = false;
      }
      bool any_progress = false, any_quantum = false;
      // One turn of each resident block, the newest first.
      for (size_t n = resident_.size(); n > 0 && !result_.report; --n) {
        if (turn >= resident_.size()) turn = 0;
        const Turn end = run_block(*resident_[turn]);
        if (end == Turn::kFault) break;
        if (end == Turn::kFinished) {
          free_.push_back(std::move(resident_[turn]));
          resident_.erase(resident_.begin() + static_cast<ptrdiff_t>(turn));
          any_progress = true;
        } else {
          any_quantum = any_quantum || end == Turn::kQuantumSpent;
          ++turn;
        }
      }
      if (result_.report) break;
      if (!any_progress) {
        if (!any_quantum && (next == blocks || resident_.size() >= request_.resident_blocks)) {
          report_deadlock();
          break;
        }
        widen = true;
      }
    }
    return std::move(result_);
  }

 private:
  void prepare_context() {
    ExecContext& x = x_;
    x.bank[1] = const_cast<uint8_t*>(program_.constants.data());
    x.parameters = request_.parameters;
    x.dynamic_shared = request_.dynamic_shared_bytes;
    x.total_shared = shared_bytes_;
    x.shared_end = kSharedBase + shared_bytes_;
    x.local_stride = (program_.local_bytes + 15) / 16 * 16;
    for (int i = 0; i < 3; ++i) {
      x.block_size[i] = request_.block[static_cast<size_t>(i)];
      x.grid_size[i] = request_.grid[static_cast<size_t>(i)];
    }
    x.multiprocessors = request_.options.multiprocessors;
    x.grid_id = request_.grid_id;
    x.sites = sites_.data();
    x.memory = request_.memory;
    x.counters = &result_.counters;
    x.check_alignment = request_.options.check_alignment;
    x.check_limits = request_.options.check_bounds;
    x.check_uninitialized = request_.options.check_uninitialized;
    x.count_traffic = request_.options.count_traffic;
  }

  std::unique_ptr<Block> start_block(uint64_t index) {
    std::unique_ptr<Block> block;
    if (free_.empty()) {
      block = std::make_unique<Block>();
      block->warps.resize(warps_);
      block->shared.resize(shared_bytes_ + 16);
      block->shared_valid.resize(shared_bytes_ + 16);
      if (request_.options.check_races && shared_bytes_ != 0)
        block->order = std::make_unique<SharedOrder>(shared_bytes_ + 16, warps_);
      block->local.resize(size_t{warps_} * kLanes * x_.local_stride + 16);
      block->local_valid.resize(block->local.size());
    } else {
      block = std::move(free_.back());
      free_.pop_back();
    }
    block->index = index;
    block->id = {static_cast<uint32_t>(index % request_.grid[0]),
                 static_cast<uint32_t>(index / request_.grid[0] % request_.grid[1]),
                 static_cast<uint32_t>(index / request_.grid[0] / request_.grid[1])};
    block->barriers.fill(Barrier{});
    if (block->order) block->order->start_block();
    // Fresh memory holds a pattern, so that a read that is not checked does not look like zero by luck.
    std::fill(block->shared.begin(), block->shared.end(), 0xCD);
    std::fill(block->local.begin(), block->local.end(), 0xCD);
    std::fill(block->shared_valid.begin(), block->shared_valid.end(), 0);
    std::fill(block->local_valid.begin(), block->local_valid.end(), 0);
    for (uint32_t w = 0; w < warps_; ++w) {
      const uint32_t lanes = std::min(threads_ - w * kLanes, kLanes);
      block->warps[w].start(program_, lanes == kLanes ? ~0u : (1u << lanes) - 1);
    }
    result_.counters.blocks += 1;
    result_.counters.warps += warps_;
    return block;
  }

  Turn run_block(Block& block) {
    ExecContext& x = x_;
    for (size_t i = 0; i < 3; ++i) x.block_id[i] = block.id[i];
    x.multiprocessor = static_cast<uint32_t>(block.index % request_.options.multiprocessors);
    x.shared = block.shared.data();
    x.shared_valid = block.shared_valid.data();
    x.order = block.order.get();
    for (;;) {
      bool live = false, progress = false, quantum = false;
      for (uint32_t w = 0; w < warps_; ++w) {
        if (block.warps[w].live() == 0) continue;
        const uint64_t before = x.issued;
        const Turn end = run_warp(block, w);
        if (end == Turn::kFault) return end;
        progress = progress || x.issued != before;
        quantum = quantum || end == Turn::kQuantumSpent;
        live = live || block.warps[w].live() != 0;
      }
      if (!live) return Turn::kFinished;
      if (quantum) return Turn::kQuantumSpent;
      if (!progress) return Turn::kBlocked;
    }
  }

  Turn run_warp(Block& block, uint32_t w) {
    ExecContext& x = x_;
    Warp& warp = block.warps[w];
    x.warp_id = w;
    for (size_t i = 0; i < 3; ++i) x.thread_id[i] = thread_ids_[i].data() + size_t{w} * kLanes;
    const size_t local_at = size_t{w} * kLanes * x.local_stride;
    x.local = block.local.data() + local_at;
    x.local_valid = block.local_valid.data() + local_at;
    warp.clear_yields();
    for (;;) {
      const int picked = warp.pick();
      if (picked < 0) {
        if (warp.live() == 0) return Turn::kFinished;
        const bool spun =
            std::any_of(warp.splits().begin(), warp.splits().end(), [](const Split& s) { return s.yielded; });
        if (warp.release_waiting()) continue;
        return spun ? Turn::kQuantumSpent : Turn::kBlocked;
      }
      const auto s = static_cast<size_t>(picked);
      if (const Turn end = run_split(block, w, s); end == Turn::kFault) return end;
    }
  }

  // kBlocked here: carry on with the next split.
  Turn run_split(Block& block, uint32_t w, size_t s) {
    ExecContext& x = x_;
    Warp& warp = block.warps[w];
    Split& split = warp.splits()[s];
    Frame& frame = *split.frame;
    x.function = frame.function;
    x.bank[0] = frame.registers();
    x.local_begin = frame.local_begin;
    x.local_end = frame.local_end;
    x.active = split.mask;
    x.live = warp.live();
    const uint64_t budget = request_.options.instruction_budget;
    if (x.issued >= budget) {
      return fault(block, w, split.pc, ReportKind::kRunaway, split.mask,
                   fmt::format("the launch has issued {} warp-instructions, its budget", x.issued));
    }
    x.left = std::min(kQuantum, budget - x.issued);
    const uint32_t join = split.join && split.join->frame == &frame ? split.join->pc : kReturnPc;
    switch (run_(x, split.pc, join)) {
      case Stop::kJoin:
        warp.arrive(s);
        return Turn::kBlocked;
      case Stop::kDiverge: {
        const Op& op = frame.function->ops[split.pc];
        result_.counters.divergent_branches += 1;
        warp.diverge(s, x.taken, op.target, split.pc + 1, op.join);
        return Turn::kBlocked;
      }
      case Stop::kQuantum:
        split.yielded = true;
        return Turn::kBlocked;
      case Stop::kFault:
        return access_fault(block, w, split.pc);
      case Stop::kSlow:
        return slow(block, w, s);
    }
    return Turn::kBlocked;
  }

  Turn slow(Block& block, uint32_t w, size_t s) {
    ExecContext& x = x_;
    Warp& warp = block.warps[w];
    Split& split = warp.splits()[s];
    const Op& op = split.frame->function->ops[split.pc];
    const uint32_t taken = x.taken, pc = split.pc;
    const auto broken = [&](const char* rule) {
      return fault(block, w, pc, ReportKind::kSynchronization, taken, rule);
    };
    switch (op.kind) {
      case OpKind::kReturn:
        if (taken != split.mask && split.frame->parent) result_.counters.divergent_branches += 1;
        warp.leave_function(s, taken);
        return after_exit(block, w);
      case OpKind::kExit:
        warp.exit_lanes(s, taken);
        return after_exit(block, w);
      case OpKind::kBarrier:
        if (const char* rule = block.arrive_at_barrier(w, s, op, taken, x.bank[1])) return broken(rule);
        return Turn::kBlocked;
      case OpKind::kWarp:
      case OpKind::kWarpSync:
        if (const char* rule = block.rendezvous(w, s, op, taken, x)) return broken(rule);
        return x.faulted ? access_fault(block, w, pc) : Turn::kBlocked;
      case OpKind::kBranchTable:
        return branch_table(block, w, s, op, taken);
      case OpKind::kCall:
        return call(block, w, s, op, taken);
      case OpKind::kYield:
        split.pc += 1;
        split.yielded = true;
        return Turn::kBlocked;
      case OpKind::kTrap:
        return fault(block, w, pc, ReportKind::kTrap, taken, "the kernel executed trap");
      case OpKind::kPrint: {
        std::string text;
        if (const auto bad = print(x, *split.frame, op, taken, text)) {
          return fault(block, w, pc, ReportKind::kOutOfBounds, taken, *bad);
        }
        result_.output += text;
        split.pc += 1;
        return Turn::kBlocked;
      }
      case OpKind::kAssert:
        return fault(block, w, pc, ReportKind::kAssert, taken, assertion_text(x, *split.frame, op, taken));
      default:
        return fault(block, w, pc, ReportKind::kTrap, taken, "an instruction of an unknown kind was reached");
    }
  }

  Turn after_exit(Block& block, uint32_t w) {
    block.recheck_barriers();
    block.recheck_rendezvous(w, x_);
    return x_.faulted ? access_fault(block, w, 0) : Turn::kBlocked;
  }

  // brx.idx: lanes grouped by target. Lanes whose guard is false fall through.
  Turn branch_table(Block& block, uint32_t w, size_t s, const Op& op, uint32_t taken) {
    Warp& warp = block.warps[w];
    const uint32_t pc = warp.splits()[s].pc, mask = warp.splits()[s].mask;
    const auto& table = warp.splits()[s].frame->function->branch_tables[op.aux];
    const uint32_t* index = slot_of<uint32_t>(*warp.splits()[s].frame, x_.bank[1], op.a);
    std::vector<std::pair<uint32_t, uint32_t>> groups;  // target, lanes
    const auto add = [&](uint32_t target, uint32_t lane) {
      for (auto& [t, lanes] : groups) {
        if (t == target) return void(lanes |= 1u << lane);
      }
      groups.emplace_back(target, 1u << lane);
    };
    for (uint32_t m = mask; m != 0; m &= m - 1) {
      const auto l = static_cast<uint32_t>(std::countr_zero(m));
      if (!((taken >> l) & 1)) {
        add(pc + 1, l);
      } else if (index[l] >= table.size()) {
        return fault(block, w, pc, ReportKind::kBadCall, 1u << l,
                     fmt::format("brx.idx index {} is outside its table of {} targets", index[l], table.size()));
      } else {
        add(table[index[l]], l);
      }
    }
    if (groups.size() > 1) {
      result_.counters.divergent_branches += 1;
      std::vector<uint32_t> masks;
      for (const auto& group : groups) masks.push_back(group.second);
      const size_t first_new = warp.splits().size();
      warp.part(s, masks, op.join);
      for (size_t i = 1; i < groups.size(); ++i) warp.splits()[first_new + i - 1].pc = groups[i].first;
    }
    warp.splits()[s].pc = groups[0].first;
    return Turn::kBlocked;
  }

  // Lanes whose guard is false wait behind the call; an indirect call is made once per target.
  Turn call(Block& block, uint32_t w, size_t s, const Op& op, uint32_t taken) {
    Warp& warp = block.warps[w];
    const Frame& frame = *warp.splits()[s].frame;
    const CallSite& site = frame.function->calls[op.aux];
    const uint32_t pc = warp.splits()[s].pc, mask = warp.splits()[s].mask;
    std::vector<uint32_t> masks, targets;
    if (site.function != ptx::kNoIndex) {
      masks = {taken};
      targets = {site.function};
    } else {
      const uint64_t* address = slot_of<uint64_t>(frame, x_.bank[1], op.a);
      for (uint32_t m = taken; m != 0; m &= m - 1) {
        const auto l = static_cast<uint32_t>(std::countr_zero(m));
        const uint64_t index = (address[l] - kFunctionBase) / 16;
        const bool known = address[l] >= kFunctionBase && address[l] % 16 == 0 &&
                           index < program_.function_of_module_index.size() &&
                           program_.function_of_module_index[index] != ptx::kNoIndex;
        const uint32_t target = known ? program_.function_of_module_index[index] : 0;
        if (!known || !agrees(program_.functions[target], site)) {
          return fault(
              block, w, pc, ReportKind::kBadCall, 1u << l,
              known
                  ? fmt::format("the indirect call of {} does not match its prototype", program_.functions[target].name)
                  : fmt::format("the indirect call's target {:#x} is no function of this module", address[l]));
        }
        const auto at = std::find(targets.begin(), targets.end(), target);
        if (at == targets.end()) {
          targets.push_back(target);
          masks.push_back(1u << l);
        } else {
          masks[static_cast<size_t>(at - targets.begin())] |= 1u << l;
        }
      }
    }
    const uint32_t rest = mask & ~taken;
    const size_t calls = targets.size();
    const size_t first_new = warp.splits().size();
    if (rest != 0) masks.push_back(rest);
    if (masks.size() > 1) {
      result_.counters.divergent_branches += 1;
      warp.part(s, masks, pc + 1);
      if (rest != 0) warp.splits().back().pc = pc + 1;
    }
    for (size_t i = 0; i < calls; ++i) {
      const size_t at = i == 0 ? s : first_new + i - 1;
      if (!warp.call(at, program_.functions[targets[i]], site, kLocalBase + program_.local_bytes)) {
        return fault(block, w, pc, ReportKind::kStackOverflow, masks[i],
                     fmt::format("the call of {} needs more local memory than the {} bytes of a thread",
                                 program_.functions[targets[i]].name, program_.local_bytes));
      }
      if (x_.check_uninitialized) clear_local_marks(block, w, warp.splits()[at]);
    }
    return Turn::kBlocked;
  }
  static bool agrees(const DecodedFunction& f, const CallSite& site) {
    const auto same = [](const auto& a, const auto& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                        [](const ParameterPlanes& p, const ParameterPlanes& q) { return p.planes == q.planes; });
    };
    return same(f.parameters, site.arguments) && same(f.returns, site.results);
  }
  void clear_local_marks(Block& block, uint32_t w, const Split& split) {
    const Frame& frame = *split.frame;
    const uint32_t bytes = frame.local_end - frame.local_begin;
    if (bytes == 0) return;
    for (uint32_t m = split.mask; m != 0; m &= m - 1) {
      const size_t lane = size_t{w} * kLanes + static_cast<size_t>(std::countr_zero(m));
      std::memset(block.local_valid.data() + lane * x_.local_stride + (frame.local_begin - kLocalBase), 0, bytes);
    }
  }

  // Reports.

  Report locate(const Block& block, uint32_t w, uint32_t pc, uint32_t lanes) const {
    Report r;
    r.kernel = program_.name;
    r.block = block.id;
    const size_t thread = size_t{w} * kLanes + static_cast<size_t>(lanes == 0 ? 0 : std::countr_zero(lanes));
    for (size_t i = 0; i < 3; ++i) r.thread[i] = thread_ids_[i][thread];
    if (x_.function && pc < x_.function->ops.size()) {
      const Op& op = x_.function->ops[pc];
      r.ptx_line = op.line;
      r.location_file = op.location_file;
      r.location_line = op.location_line;
    }
    return r;
  }
  Turn fault(const Block& block, uint32_t w, uint32_t pc, ReportKind kind, uint32_t lanes, std::string message) {
    Report r = locate(block, w, pc, lanes);
    r.kind = kind;
    r.message = std::move(message);
    result_.report = std::move(r);
    return Turn::kFault;
  }
  Turn access_fault(const Block& block, uint32_t w, uint32_t pc) {
    const Fault& f = x_.fault;
    Report r = locate(block, w, pc, 1u << f.lane);
    r.kind = f.kind;
    r.address = f.address;
    r.bytes = f.bytes;
    r.message = f.text ? std::string(f.text) : access_message(f);
    if (f.kind == ReportKind::kOutOfBounds && f.space == AccessSpace::kGlobal &&
        request_.memory->was_freed(f.address)) {
      r.kind = ReportKind::kUseAfterFree;
    }
    result_.report = std::move(r);
    return Turn::kFault;
  }
  std::string access_message(const Fault& f) const {
    const std::string access = fmt::format("{}-byte {} {} at {:#x}", f.bytes, kSpaceNames[static_cast<size_t>(f.space)],
                                           f.write ? "store" : "load", f.address);
    const std::string where = place(f);
    switch (f.kind) {
      case ReportKind::kMisaligned:
        return fmt::format("{} is not aligned to {} bytes ({}); it {}", access, f.bytes, f.address % f.bytes, where);
      case ReportKind::kUninitialized:
        return fmt::format("{} reads bytes that were never written; it {}", access, where);
      case ReportKind::kReadOnly:
        return fmt::format("{} writes memory that kernels may only read; it {}", access, where);
      case ReportKind::kRace:
        return fmt::format("{} races with an earlier {} by thread ({},{},{}): no barrier orders them; it {}", access,
                           f.other_wrote ? "store" : "load", thread_ids_[0][f.other_thread],
                           thread_ids_[1][f.other_thread], thread_ids_[2][f.other_thread], where);
      default:
        return fmt::format("{} {}", access, where);
    }
  }
  std::string place(const Fault& f) const {
    if (f.limit) {
      const uint64_t end = f.limit->dynamic ? x_.shared_end : f.limit->end;
      return fmt::format("leaves shared variable {} [{:#x}, {:#x})", f.limit->name, f.limit->begin, end);
    }
    if (f.space == AccessSpace::kGlobal) return request_.memory->describe(f.address, f.bytes);
    if (f.space == AccessSpace::kShared) {
      for (const SharedVariable& v : program_.shared_variables) {
        if (f.address >= v.begin && f.address < v.end)
          return fmt::format("is in shared variable {} [{:#x}, {:#x})", v.name, v.begin, v.end);
      }
      return fmt::format("{} the block's shared memory [{:#x}, {:#x}) of {} bytes",
                         f.address >= kSharedBase && f.address + f.bytes <= x_.shared_end ? "is in" : "lies outside",
                         kSharedBase, x_.shared_end, shared_bytes_);
    }
    return fmt::format("{} the thread's local memory [{:#x}, {:#x})",
                       f.address >= kLocalBase && f.address + f.bytes <= x_.local_end ? "is in" : "lies outside",
                       kLocalBase, x_.local_end);
  }

  void report_deadlock() {
    std::string text = "every warp waits and none can go on:";
    const Block* first = nullptr;
    uint32_t first_warp = 0, first_pc = 0, listed = 0;
    for (const auto& block : resident_) {
      for (uint32_t w = 0; w < warps_; ++w) {
        for (const Split& split : block->warps[w].splits()) {
          const Op& op = split.frame->function->ops[split.pc];
          if (!first) {
            first = block.get();
            first_warp = w;
            first_pc = split.pc;
            x_.function = split.frame->function;
          }
          if (++listed > 8) continue;
          const std::string reason = split.state == Split::State::kBarrier
                                         ? fmt::format("barrier {}", split.barrier)
                                         : fmt::format("lanes {:#010x} of its member mask {:#010x}",
                                                       split.members & ~split.taking_part, split.members);
          text += fmt::format(" block ({},{},{}) warp {} lanes {:#010x} at PTX line {} for {};", block->id[0],
                              block->id[1], block->id[2], w, split.mask, op.line, reason);
        }
      }
    }
    if (listed > 8) text += fmt::format(" and {} more", listed - 8);
    if (first) fault(*first, first_warp, first_pc, ReportKind::kDeadlock, 0, std::move(text));
  }

  const LaunchRequest& request_;
  const Program& program_;
  uint32_t threads_, warps_, shared_bytes_;
  std::vector<SiteCache> sites_;
  RunFn run_;
  std::array<std::vector<uint32_t>, 3> thread_ids_;
  std::vector<std::unique_ptr<Block>> resident_, free_;
  ExecContext x_;
  LaunchResult result_;
};

}  // namespace

LaunchResult run_launch(const LaunchRequest& request) { return Launch(request).run(); }

}  // namespace tailor::virtual_device
