// The predefined, read-only registers (PTX ISA 10). WARP_SZ is not here: the parser turns it into the immediate 32.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/ptx/suffixes.h"

namespace tailor::ptx {

// enumerator, PTX name, type. Vector registers appear by component only (%tid.x), as every compiler writes them.
#define TAILOR_PTX_SPECIAL_REGISTERS(X)                            \
  X(kTidX, "%tid.x", kU32)                                         \
  X(kTidY, "%tid.y", kU32)                                         \
  X(kTidZ, "%tid.z", kU32)                                         \
  X(kNtidX, "%ntid.x", kU32)                                       \
  X(kNtidY, "%ntid.y", kU32)                                       \
  X(kNtidZ, "%ntid.z", kU32)                                       \
  X(kCtaidX, "%ctaid.x", kU32)                                     \
  X(kCtaidY, "%ctaid.y", kU32)                                     \
  X(kCtaidZ, "%ctaid.z", kU32)                                     \
  X(kNctaidX, "%nctaid.x", kU32)                                   \
  X(kNctaidY, "%nctaid.y", kU32)                                   \
  X(kNctaidZ, "%nctaid.z", kU32)                                   \
  X(kClusteridX, "%clusterid.x", kU32)                             \
  X(kClusteridY, "%clusterid.y", kU32)                             \
  X(kClusteridZ, "%clusterid.z", kU32)                             \
  X(kNclusteridX, "%nclusterid.x", kU32)                           \
  X(kNclusteridY, "%nclusterid.y", kU32)                           \
  X(kNclusteridZ, "%nclusterid.z", kU32)                           \
  X(kClusterCtaidX, "%cluster_ctaid.x", kU32)                      \
  X(kClusterCtaidY, "%cluster_ctaid.y", kU32)                      \
  X(kClusterCtaidZ, "%cluster_ctaid.z", kU32)                      \
  X(kClusterNctaidX, "%cluster_nctaid.x", kU32)                    \
  X(kClusterNctaidY, "%cluster_nctaid.y", kU32)                    \
  X(kClusterNctaidZ, "%cluster_nctaid.z", kU32)                    \
  X(kClusterCtarank, "%cluster_ctarank", kU32)                     \
  X(kClusterNctarank, "%cluster_nctarank", kU32)                   \
  X(kIsExplicitCluster, "%is_explicit_cluster", kPred)             \
  X(kLaneid, "%laneid", kU32)                                      \
  X(kWarpid, "%warpid", kU32)                                      \
  X(kNwarpid, "%nwarpid", kU32)                                    \
  X(kSmid, "%smid", kU32)                                          \
  X(kNsmid, "%nsmid", kU32)                                        \
  X(kGridid, "%gridid", kU64)                                      \
  X(kLanemaskEq, "%lanemask_eq", kU32)                             \
  X(kLanemaskLe, "%lanemask_le", kU32)                             \
  X(kLanemaskLt, "%lanemask_lt", kU32)                             \
  X(kLanemaskGe, "%lanemask_ge", kU32)                             \
  X(kLanemaskGt, "%lanemask_gt", kU32)                             \
  X(kClock, "%clock", kU32)                                        \
  X(kClockHi, "%clock_hi", kU32)                                   \
  X(kClock64, "%clock64", kU64)                                    \
  X(kGlobaltimer, "%globaltimer", kU64)                            \
  X(kGlobaltimerLo, "%globaltimer_lo", kU32)                       \
  X(kGlobaltimerHi, "%globaltimer_hi", kU32)                       \
  X(kDynamicSmemSize, "%dynamic_smem_size", kU32)                  \
  X(kTotalSmemSize, "%total_smem_size", kU32)                      \
  X(kAggrSmemSize, "%aggr_smem_size", kU32)                        \
  X(kReservedSmemOffsetBegin, "%reserved_smem_offset_begin", kU32) \
  X(kReservedSmemOffsetEnd, "%reserved_smem_offset_end", kU32)     \
  X(kReservedSmemOffsetCap, "%reserved_smem_offset_cap", kU32)     \
  X(kReservedSmemOffset0, "%reserved_smem_offset_0", kU32)         \
  X(kReservedSmemOffset1, "%reserved_smem_offset_1", kU32)         \
  X(kCurrentGraphExec, "%current_graph_exec", kU64)

enum class SpecialRegister : uint8_t {
#define X(name, text, type) name,
  TAILOR_PTX_SPECIAL_REGISTERS(X)
#undef X
      kCount
};

std::string_view to_string(SpecialRegister reg);  // "%tid.x"
Type type_of(SpecialRegister reg);

}  // namespace tailor::ptx
