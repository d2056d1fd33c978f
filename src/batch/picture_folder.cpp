#include "batch/picture_folder.hpp"

#include <system_error>

#include "batch/tar.hpp"
#include "core/sha256.hpp"

namespace lightswitch {

const PictureFolder::Tar& PictureFolder::tar(const std::string& name) {
  const auto [entry, is_new] = tars_.try_emplace(name);
  if (is_new)
    visit_tar(folder_ / name, [&](const TarMember& member) {
      entry->second[member.name] = {member.bytes, hashes_ ? lightswitch::sha256(member.read()) : ""};
    });
  return entry->second;
}

int64_t PictureFolder::bytes(const ItemResult& result) {
  std::error_code code;
  const auto file = folder_ / result.out;
  if (result.member.empty()) {
    const auto size = std::filesystem::file_size(file, code);
    return code ? -1 : static_cast<int64_t>(size);
  }
  if (!std::filesystem::exists(file, code)) return -1;
  const Tar& members = tar(result.out);
  const auto member = members.find(result.member);
  return member == members.end() ? -1 : member->second.bytes;
}

std::string PictureFolder::sha256(const ItemResult& result) {
  return result.member.empty() ? sha256_file(folder_ / result.out) : tar(result.out).at(result.member).sha256;
}

void PictureFolder::visit_all_tars(
    const std::function<void(const std::string& tar, const std::string& member)>& visit) {
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("pictures-") || entry.path().extension() != ".tar") continue;
    for (const auto& [member, facts] : tar(name)) visit(name, member);
  }
}

}  // namespace lightswitch
