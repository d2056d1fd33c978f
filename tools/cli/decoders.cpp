#include <lightswitch/version.h>
#include <lightswitch/error.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/network_lookup.hpp"
#include "cli/report.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;

Json describe_decoder(NetworkLookup& networks, const std::string& name, const PackagedNetwork& packaged) {
  std::string spec = name;
  NetworkInfo info;
  int64_t macs = 0;  // of one picture or frame
  const auto edge = [](const LatentSpec& latents) { return 512 / latents.factor; };
  if (networks.decodes_clips(spec)) {
    const auto decoder = networks.temporal_decoder(spec);
    info = decoder->info();
    macs = decoder->macs(1, edge(decoder->spec()), edge(decoder->spec())) / decoder->frames(1);
  } else {
    const auto decoder = networks.decoder(spec);
    info = decoder->info();
    macs = decoder->macs(edge(decoder->spec()), edge(decoder->spec()));
  }
  return {{"name", name},
          {"family", info.family},
          {"space", packaged.space},
          {"parameters", info.parameters},
          {"gmac_512", static_cast<double>(macs) / 1e9},
          {"dtype", to_string(info.dtype)},
          {"configuration", info.configuration},
          {"file", packaged.file.string()}};
}

void print_table(const Json& report, std::ostream& out) {
  out << "decoders of " << report["model"].get<std::string>() << " (default: " << report["default"].get<std::string>()
      << ")\n";
  char line[256];
  std::snprintf(line, sizeof line, "  %-12s %-8s %-10s %12s %12s  %s\n", "name", "family", "space", "parameters",
                "GMAC at 512", "file");
  out << line;
  for (const Json& entry : report["decoders"]) {
    std::snprintf(line, sizeof line, "  %-12s %-8s %-10s %12lld %12.1f  %s\n", entry["name"].get<std::string>().c_str(),
                  entry["family"].get<std::string>().c_str(), entry["space"].get<std::string>().c_str(),
                  entry["parameters"].get<long long>(), entry["gmac_512"].get<double>(),
                  entry["file"].get<std::string>().c_str());
    out << line;
  }
  out << "families recognised in weight files\n";
  for (const Json& entry : report["families"]) {
    std::snprintf(line, sizeof line, "  %-12s %s\n", entry["name"].get<std::string>().c_str(),
                  entry["summary"].get<std::string>().c_str());
    out << line;
  }
}

void list_decoders(const std::string& model, Session& session) {
  NetworkLookup networks(session, model);
  const ModelPackage& package = networks.package();
  Json report{{"version", LIGHTSWITCH_VERSION},
              {"command", "decoders"},
              {"model", package.name()},
              {"default", package.default_decoder()}};
  report["decoders"] = Json::array();
  for (const auto& [name, packaged] : package.decoders()) {
    session.check_stop();
    report["decoders"].push_back(describe_decoder(networks, name, packaged));
  }
  for (const DecoderFamily& family : builtin_decoder_families())
    report["families"].push_back(
        {{"name", family.name}, {"summary", family.summary}, {"encoder", family.make_encoder != nullptr}});
  if (session.common().json != "-") print_table(report, session.out());
  write_json(report, session);
}

}  // namespace

void add_decoders_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command = app.add_subcommand(
      "decoders", "List the decoders that a model names, and the families that weight files may be of");
  const auto model = std::make_shared<std::string>();
  command
      ->add_option("-m,--model", *model,
                   "Model package: a folder, or a name in $LIGHTSWITCH_MODELS (default: the one that ships, scenes)")
      ->type_name("DIR");
  add_common_options(*command, common, false);
  command->footer("Example:\n  lightswitch decoders --json -");
  command->callback([model, &job] { job = [model](Session& session) { list_decoders(*model, session); }; });
}

}  // namespace lightswitch::cli
