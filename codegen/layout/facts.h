// Facts: what is known of a layout's parameters when code is generated.
//
// Worked example:
//     Facts facts;
//     facts.residue("M", 128, 17);      // M % 128 = 17
//     facts.range("M", 0, 4096);
//     facts.divisible("stride_h", 64);  // elements
//     facts.exact("D", 128);
//     facts.constrain("M <= N");        // any affine relation between parameters
//     facts.of("M")                     // 17 mod 128 in [17, 3985]
//
// Ownership: value type. Threads: const access from any thread. Errors: contradicting facts are kInvalidArgument and
// leave the object as it was.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/integer/residue.h"
#include "codegen/layout/affine.h"
#include "tailor/status.h"

namespace tailor::codegen::layout {

class Facts {
 public:
  Status exact(const std::string& parameter, int64_t value);
  Status range(const std::string& parameter, int64_t lo, int64_t hi);
  Status residue(const std::string& parameter, int64_t modulus, int64_t remainder);
  Status divisible(const std::string& parameter, int64_t divisor);
  Status add(const std::string& parameter, const integer::Residue& value);
  Status constrain(const Constraint& constraint);
  Status constrain(std::string_view text);

  // Residue::top() when nothing is known.
  integer::Residue of(std::string_view parameter) const;
  const std::map<std::string, integer::Residue, std::less<>>& residues() const { return residues_; }
  const std::vector<Constraint>& constraints() const { return constraints_; }
  // Residues and constraints as constraints over the parameters, the form that isl gets.
  std::vector<Constraint> as_constraints() const;

 private:
  std::map<std::string, integer::Residue, std::less<>> residues_;
  std::vector<Constraint> constraints_;
};

}  // namespace tailor::codegen::layout
