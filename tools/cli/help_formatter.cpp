#include "cli/help_formatter.hpp"

#include <sstream>

namespace lightswitch::cli {
namespace {

constexpr size_t kLeft = 30, kWidth = 100;

}  // namespace

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string text, line = "  " + make_option_name(option, is_positional) + make_option_opts(option);
  const auto next_line = [&] {
    text += line + "\n";
    line.assign(kLeft, ' ');
  };
  if (line.size() + 2 > kLeft) next_line();
  line.resize(kLeft, ' ');
  std::istringstream words(make_option_desc(option));
  for (std::string word; words >> word;) {
    if (line.size() + word.size() > kWidth) next_line();
    line += (line.back() == ' ' ? "" : " ") + word;
  }
  next_line();
  return text;
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  std::string text;
  if (option->get_type_size() != 0) text += " " + option->get_type_name();
  if (option->get_required() && !option->get_positional()) text += " (required)";
  return text;
}

}  // namespace lightswitch::cli
