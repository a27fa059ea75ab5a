// What paged_append and append_rope share: the operands of PagedAppend, and the loop that finds the slot of every new
// token. The symbols of PagedAppend have the same numbers in both operations.
//
// Ownership: owns the builder. Thread-safety: none. Errors: none; the key must be one that `validate` accepts.
#pragma once

#include <functional>
#include <optional>

#include "codegen/ops/key_views.h"
#include "codegen/tile/tile.h"

namespace tailor::codegen::ops {

class AppendTokens {
 public:
  // `type`: of k's elements, where they are computed with.
  explicit AppendTokens(const Key& key, std::optional<DType> type = std::nullopt);

  tile::Builder& builder() { return builder_; }
  const KeyViews& views() const { return views_; }
  tile::ViewId k() const { return k_; }
  tile::ViewId v() const { return v_; }
  tile::ViewId k_pages() const { return k_pages_; }
  tile::ViewId v_pages() const { return v_pages_; }

  struct Token {
    tile::ValueId row, position, page, slot;
  };
  // Finishes the program: `move` carries out every token whose place is known.
  tile::Program finish(const std::function<void(const Token&)>& move);

 private:
  KeyViews views_;
  tile::Builder builder_;
  tile::ViewId k_, v_, k_pages_, v_pages_;
};

}  // namespace tailor::codegen::ops
