#include <lightswitch/version.h>
#include <lightswitch/error.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/inspect_report.hpp"
#include "cli/report.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectArguments {
  std::string path;
  std::string as;
};

std::string line_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value, -1);
}

/// One fact a line; objects and lists of texts are indented below their name.
void print_facts(const Json& facts, std::ostream& out, const std::string& indent) {
  for (const auto& [name, value] : facts.items()) {
    const bool texts = value.is_array() && !value.empty() && value.front().is_string();
    if (value.is_object() || texts) {
      out << indent << name << "\n";
      if (value.is_object()) print_facts(value, out, indent + "  ");
      if (texts)
        for (const Json& text : value) out << indent << "  " << line_of(text) << "\n";
    } else if (!(value.is_array() && value.empty())) {
      out << indent << name << ": " << line_of(value) << "\n";
    }
  }
}

void inspect(const InspectArguments& arguments, Session& session) {
  Json report{{"version", LIGHTSWITCH_VERSION}, {"command", "inspect"}};
  const Json facts = inspect_path(arguments.path, arguments.as, session);
  report.update(facts);
  if (session.common().json != "-") print_facts(facts, session.out(), "");
  write_json(report, session);
  if (!facts["problems"].empty())
    throw FormatError(std::to_string(facts["problems"].size()) +
                      " problem(s) found: " + facts["problems"].front().get<std::string>());
}

}  // namespace

void add_inspect_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand("inspect", "Say what a file is and what is wrong with it");
  const auto to = std::make_shared<InspectArguments>();
  command
      ->add_option("path", to->path,
                   "Weight file, latent file, model package, TorchScript archive, picture, plug-in, …")
      ->type_name("FILE|DIR|PLUGIN.so[:WEIGHTS]")
      ->required();
  command->add_option("--as", to->as, "Take a weight file for one of this family: `lightswitch decoders` lists them")
      ->type_name("FAMILY");
  add_common_options(*command, common, false);
  command->footer(
      "Everything is loaded as `decode` would load it, hashes included; the exit code is 1 when something is wrong.\n"
      "A plug-in gets a verdict for every rule of plugin.h, each found out in a process of its own.\n\n"
      "Examples:\n  lightswitch inspect vae.safetensors\n  lightswitch inspect picture.png\n"
      "  lightswitch inspect mine.so:weights.safetensors");
  command->callback([to, &job] { job = [to](Session& session) { inspect(*to, session); }; });
}

}  // namespace lightswitch::cli
