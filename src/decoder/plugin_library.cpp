#include "decoder/plugin_library.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <lightswitch/plugin_host.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string_view>

#include "decoder/spec_options.hpp"
#include "nn/files/file_signature.hpp"

namespace lightswitch {
namespace {

constexpr uint32_t most_options = 256;

/// dlopen()'s own message on a file that is no library is of little use, so the first bytes are looked at before.
void require_shared_library(const std::string& file) {
  if (!std::filesystem::is_regular_file(file))
    throw FileError("cannot read the plug-in", {file, "", "a shared library", "no file of that name"});
  std::array<char, 64> start{};
  std::ifstream stream(file, std::ios::binary);
  stream.read(start.data(), start.size());
  const std::string_view bytes(start.data(), static_cast<size_t>(stream.gcount()));
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return;
  const char* looks_like = nn::describe_signature(bytes);
  throw FormatError("no plug-in", {file, "", "a shared library (ELF)", looks_like ? looks_like : "other bytes"});
}

bool is_word(const char* text, size_t longest) {
  const std::string_view word(text);
  return !word.empty() && word.size() <= longest && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string shown(const char* text) {
  return text == nullptr ? "null" : "\"" + std::string(text) + "\"";
}

}  // namespace

std::shared_ptr<const PluginLibrary> PluginLibrary::open(const std::filesystem::path& file) {
  return std::shared_ptr<const PluginLibrary>(new PluginLibrary(file));
}

PluginLibrary::PluginLibrary(const std::filesystem::path& file) : file_(file.string()) {
  require_shared_library(file_);
  // A name without a slash would be looked for in the system's folders.
  void* handle = ::dlopen(std::filesystem::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    throw PluginError("cannot be loaded",
                      {file_, "", "a shared library for this machine", reason ? reason : "another"});
  }
  handle_ = std::shared_ptr<void>(handle, ::dlclose);
  read_entry();
  check_texts();
  read_decoder_table();
}

PluginLibrary::~PluginLibrary() = default;

void PluginLibrary::read_entry() {
  const void* symbol = ::dlsym(handle_.get(), LIGHTSWITCH_PLUGIN_SYMBOL);
  if (symbol == nullptr)
    throw PluginError("a shared library that is no plug-in",
                      {file_, "", "the symbol " LIGHTSWITCH_PLUGIN_SYMBOL, "no such symbol"});
  // The symbol table knows how much lies there, whatever the plug-in says.
  Dl_info where{};
  const ElfW(Sym)* record = nullptr;
  if (::dladdr1(symbol, &where, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&record)), RTLD_DL_SYMENT) == 0 ||
      record == nullptr || ELF64_ST_TYPE(record->st_info) != STT_OBJECT)
    throw PluginError("the exported symbol is no data",
                      {file_, LIGHTSWITCH_PLUGIN_SYMBOL, "a lightswitch_plugin", "something else"});
  const auto require = [&](const char* field, uint64_t least, uint64_t found) {
    if (found < least)
      throw PluginError("truncated", {file_, field, std::to_string(least) + " bytes or more", std::to_string(found)});
  };
  require(LIGHTSWITCH_PLUGIN_SYMBOL, offsetof(lightswitch_plugin, option_count), record->st_size);
  std::memcpy(&entry_, symbol, offsetof(lightswitch_plugin, option_count));
  if (entry_.abi_major != LIGHTSWITCH_PLUGIN_MAJOR)
    throw PluginError("built for another version of the plug-in boundary",
                      {file_, "abi_major", std::to_string(LIGHTSWITCH_PLUGIN_MAJOR), std::to_string(entry_.abi_major)});
  require("struct_size", sizeof entry_, entry_.struct_size);
  require(LIGHTSWITCH_PLUGIN_SYMBOL, entry_.struct_size, record->st_size);
  std::memcpy(&entry_, symbol, sizeof entry_);
}

void PluginLibrary::check_texts() const {
  const auto require = [&](bool fits, const std::string& field, const char* expected, const char* found) {
    if (!fits) throw PluginError("unusable", {file_, field, expected, shown(found)});
  };
  const char* word = "1 … 32 lower-case letters, digits, '-' and '_'";
  require(entry_.name != nullptr && is_word(entry_.name, 32), "name", word, entry_.name);
  require(entry_.summary != nullptr, "summary", "a text", entry_.summary);
  require(entry_.version != nullptr, "version", "a text", entry_.version);
  if (entry_.option_count > most_options || (entry_.option_count > 0 && entry_.options == nullptr))
    throw PluginError("unusable", {file_, "option_count", "0 … " + std::to_string(most_options) + ", and options",
                                   std::to_string(entry_.option_count)});
  const auto common = common_options();
  std::set<std::string_view> names(common.begin(), common.end());
  for (uint32_t i = 0; i < entry_.option_count; ++i) {
    const lightswitch_option& option = entry_.options[i];
    const std::string field = "options[" + std::to_string(i) + "].";
    require(option.name != nullptr && is_word(option.name, 64), field + "name", word, option.name);
    require(names.insert(option.name).second, field + "name", "a name that no other option has", option.name);
    require(option.summary != nullptr, field + "summary", "a text", option.summary);
    require(option.default_value != nullptr, field + "default_value", "a text", option.default_value);
  }
}

void PluginLibrary::read_decoder_table() {
  if (entry_.decoder == nullptr) throw PluginError("null", {file_, "decoder", "a table of functions", "null"});
  require_size(entry_.decoder, sizeof decoder_, "decoder");
  std::memcpy(&decoder_, entry_.decoder, sizeof decoder_);
  const auto require = [&](bool there, const char* field) {
    if (!there) throw PluginError("null", {file_, std::string("decoder.") + field, "a function", "null"});
  };
  require(decoder_.create != nullptr, "create");
  require(decoder_.destroy != nullptr, "destroy");
  require(decoder_.spec != nullptr, "spec");
  require(decoder_.decode != nullptr, "decode");
}

void PluginLibrary::require_size(const void* table, uint32_t least, const std::string& name) const {
  uint32_t size = 0;
  std::memcpy(&size, table, sizeof size);
  if (size < least)
    throw PluginError("truncated",
                      {file_, name + ".struct_size", std::to_string(least) + " bytes or more", std::to_string(size)});
}

const void* PluginLibrary::find_extension(const char* id, uint32_t least) const {
  const void* table = entry_.extension == nullptr ? nullptr : entry_.extension(id);
  if (table != nullptr) require_size(table, least, id);
  return table;
}

}  // namespace lightswitch
