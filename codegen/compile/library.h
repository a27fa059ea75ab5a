// A shared library found by name and opened by dlopen. Internal to codegen/compile.
//
// Ownership: a Library owns its handle. Thread-safety: const access from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tailor::codegen::compile {

class Library {
 public:
  Library() = default;
  Library(Library&& other) noexcept;
  Library& operator=(Library&& other) noexcept;
  ~Library();

  // Tries lib<stem>.so.13, .12 and .so in each folder, then, if `search_system`, by the loader's own search and in the
  // usual toolkit folders. `tried` becomes a sentence about what failed.
  static Library open(std::string_view stem, const std::vector<std::string>& folders, bool search_system,
                      std::string& tried);

  // Opens every file <folder of this library>/<prefix>* and keeps it. A later dlopen of its soname, from inside this
  // library, then finds it although the folder is not on the loader's path (wheels from PyPI have no such path).
  void open_companions(std::string_view prefix) const;

  explicit operator bool() const { return handle_ != nullptr; }
  const std::string& path() const { return path_; }

  // Null when the library lacks it.
  template <class Function>
  Function symbol(const std::string& name) const {
    return reinterpret_cast<Function>(raw_symbol(name));
  }

 private:
  void* raw_symbol(const std::string& name) const;

  void* handle_ = nullptr;
  std::string path_;
};

}  // namespace tailor::codegen::compile
