#include "cli/inspect_report.hpp"

#include <ATen/ATen.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/decoder_spec.hpp>
#include <lightswitch/error.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/media/image_io.hpp>
#include <lightswitch/model_package.hpp>
#include <lightswitch/plugin_host.hpp>
#include <lightswitch/temporal_decoder.hpp>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "cli/plugin_report.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Runs one check and turns what it throws into a problem of the report.
void note_problem(Json& report, const std::function<void()>& check) {
  try {
    check();
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    report["problems"].push_back(error.what());
  }
}

/// Told last, where a reader looks for it.
Json problems_last(Json report) {
  const Json problems = report["problems"];
  report.erase("problems");
  report["problems"] = problems;
  return report;
}

Json describe_spec(const LatentSpec& spec) {
  Json json{{"space", spec.space},
            {"channels", spec.channels},
            {"factor", spec.factor},
            {"eats", to_string(spec.network_input)}};
  json["scaling_factor"] = spec.scaling_factor;
  json["shift_factor"] = spec.shift_factor;
  if (spec.codebook > 0) json["codebook"] = spec.codebook;
  json["output_range"] = to_string(spec.output_range);
  json["halo"] = spec.global_operations ? Json("whole picture") : Json(spec.halo);
  return json;
}

template <typename Network>
Json describe_network(const Network& network, int64_t gmac_height, int64_t gmac_width) {
  const NetworkInfo& info = network.info();
  Json json{{"configuration", info.configuration},
            {"parameters", info.parameters},
            {"dtype", to_string(info.dtype)},
            {"gmac_512", static_cast<double>(network.macs(gmac_height, gmac_width)) / 1e9},
            {"latents", describe_spec(network.spec())}};
  if (!info.skipped.empty()) json["skipped_tensors"] = info.skipped;
  return json;
}

Json describe_clips(const TemporalDecoder& decoder) {
  return {
      {"frames_per_latent", decoder.frames(2) - decoder.frames(1)},
      {"frames_of_the_first", decoder.frames(1)},
      {"depends_on_chunks", decoder.depends_on_chunks()},
      {"chunks", decoder.depends_on_chunks() ? "frames see those of their own chunk alone, so they depend on its length"
                                             : "however a clip is cut, the frames are the same"}};
}

Json describe_tensors(const WeightSource& weights) {
  constexpr size_t most_listed = 8;
  Json list = Json::array();
  for (const TensorInfo& tensor : weights.tensors()) {
    if (list.size() == most_listed) break;
    list.push_back(tensor.name + " " + c10::toString(tensor.dtype) + " " + c10::str(at::IntArrayRef(tensor.shape)));
  }
  if (weights.tensors().size() > most_listed)
    list.push_back("… and " + std::to_string(weights.tensors().size() - most_listed) + " more");
  return list;
}

void inspect_networks(Json& report, const NetworkRequest& request, const DecoderRegistry& registry,
                      const DecoderFamily& family) {
  report["family"] = family.name;
  note_problem(report, [&] {
    const auto decoder = registry.make_decoder(family, request);
    const int64_t edge = 512 / decoder->spec().factor;
    report["decoder"] = describe_network(*decoder, edge, edge);
    const auto range = guess_output_range(*decoder);
    report["decoder"]["pictures_look"] = range ? to_string(*range) : "neither signed nor unit";
    if (family.decodes_clips != nullptr && family.decodes_clips(*request.weights))
      report["decoder"]["clips"] = describe_clips(*registry.make_temporal_decoder(family, request));
  });
  if (family.make_encoder == nullptr) return;
  try {
    report["encoder"] = describe_network(*registry.make_encoder(family, request), 512, 512);
  } catch (const Error&) {
    report["encoder"] = "none that can be loaded";  // many decoders are stored alone: no fault of the file
  }
}

void inspect_weights(Json& report, const std::shared_ptr<const WeightSource>& weights,
                     const std::filesystem::path& file, const std::string& as) {
  report["type"] = "weights";
  report["format"] = weights->format();
  report["tensors"] = weights->tensors().size();
  report["first_tensors"] = describe_tensors(*weights);
  if (!weights->metadata().empty()) report["metadata"] = weights->metadata();
  NetworkRequest request;
  request.weights = weights;
  const DecoderRegistry registry(builtin_decoder_families());
  note_problem(report, [&] {
    if (const auto config = file.parent_path() / "config.json"; std::filesystem::exists(config)) {
      request.config = read_config(config);
      report["config"] = config.string();
    }
    inspect_networks(report, request, registry, as.empty() ? registry.recognise(*weights) : registry.family(as));
  });
}

void inspect_latents(Json& report, const std::filesystem::path& file) {
  report["type"] = "latents";
  note_problem(report, [&] {
    const LatentFile content = read_latents(file);
    report["kind"] = to_string(content.kind);
    report["shape"] = content.latents.sizes().vec();
    report["space"] = content.space;
    if (content.scaling_factor) report["scaling_factor"] = *content.scaling_factor;
    if (content.shift_factor) report["shift_factor"] = *content.shift_factor;
    if (content.width) report["width"] = *content.width;
    if (content.height) report["height"] = *content.height;
    if (content.seed) report["seed"] = *content.seed;
    if (!content.prompt.empty()) report["prompt"] = content.prompt;
    if (!content.model.empty()) report["model"] = content.model;
    if (content.latents.is_floating_point()) {
      report["mean"] = content.latents.mean(at::kDouble).item<double>();
      report["standard_deviation"] = content.latents.to(at::kDouble).std().item<double>();
      if (!at::isfinite(content.latents).all().item<bool>())
        throw NumericError("the latents hold NaN or infinity", {file.string(), "latents", "finite numbers", "others"});
    }
  });
}

Json names_and_families(const std::map<std::string, PackagedNetwork>& networks) {
  Json json = Json::object();
  for (const auto& [name, network] : networks) json[name] = network.family + " (" + network.file.string() + ")";
  return json;
}

void inspect_package(Json& report, const std::filesystem::path& folder, Session& session) {
  report["type"] = "package";
  note_problem(report, [&] {
    const ModelPackage package = ModelPackage::open(folder);
    const bool makes_clips = package.kind() == ModelKind::image_to_video;
    report["name"] = package.name();
    report["kind"] = to_string(package.kind());
    report["licence"] = package.licence();
    for (const auto& [name, spec] : package.latent_spaces()) report["latent_spaces"].push_back(name);
    report["decoders"] = names_and_families(package.decoders());
    report["encoders"] = names_and_families(package.encoders());
    report["sampling_methods"] = package.sampling_methods();
    report["default_decoder"] = package.default_decoder();
    report["default_size"] = makes_clips ? Json{package.video_defaults().width, package.video_defaults().height}
                                         : Json{package.defaults().width, package.defaults().height};
    package.verify();
    session.check_stop();
    const DecoderRegistry registry(builtin_decoder_families());
    for (const auto& [name, network] : package.decoders())
      note_problem(report, [&, &source = name] {
        const NetworkContext context{.registry = registry, .package = &package};
        if (decodes_clips({source, {}}, context))
          open_temporal_decoder({source, {}}, context);
        else
          open_decoder({source, {}}, context);
      });
    for (const auto& [name, network] : package.encoders())
      note_problem(report,
                   [&, &source = name] { open_encoder({source, {}}, {.registry = registry, .package = &package}); });
    note_problem(report, [&] {
      if (makes_clips)
        package.load_video_parts();
      else
        package.load_parts();
    });
  });
}

/// A zip whose directory lists what torch.jit.save always writes.
bool is_torchscript(const std::string& bytes) {
  return bytes.compare(0, 4, "PK\x03\x04") == 0 && bytes.find("/code/") != std::string::npos &&
         bytes.find("constants.pkl") != std::string::npos;
}

void inspect_other(Json& report, const std::filesystem::path& file, const std::string& why_not_weights) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  if (is_torchscript(bytes)) {
    report["type"] = "torchscript";
    report["note"] = "a TorchScript archive: a part of a model package (denoiser, text encoder or scheduler)";
    return;
  }
  try {
    const at::Tensor picture = read_image(file);
    report["type"] = "picture";
    report["width"] = picture.size(2);
    report["height"] = picture.size(1);
    for (const auto& [keyword, text] : read_image_text(file)) report["text"][keyword] = text;
  } catch (const Error&) {
    report["problems"].push_back(why_not_weights);
  }
}

void inspect_file(Json& report, const std::filesystem::path& file, const std::string& as) {
  report["file"] = file.filename().string();
  report["bytes"] = std::filesystem::file_size(file);
  try {
    const auto weights = open_weights(file);
    const auto format = weights->metadata().find("format");
    if (format != weights->metadata().end() && format->second == "lightswitch.latents")
      inspect_latents(report, file);
    else
      inspect_weights(report, weights, file, as);
  } catch (const FormatError& error) {
    inspect_other(report, file, error.what());
  }
}

/// The SPEC that a path is when it names a plug-in: `PLUGIN.so[:WEIGHTS][,option=value…]`.
std::optional<NetworkSpec> plugin_spec(const std::string& path) {
  const auto source = PluginSource::parse(path.substr(0, path.find(',')));
  if (!source || (std::filesystem::exists(path) && source->plugin != path)) return std::nullopt;
  return NetworkSpec::parse(path);
}

void inspect_plugin(Json& report, const NetworkSpec& spec, Session& session) {
  report["type"] = "plugin";
  const PluginSource source = *PluginSource::parse(spec.source);
  const PluginSettings settings{.options = spec.options};
  const bool usable = try_plugin_rules(report, source, settings, session);
  const Json rules = report["rules"];
  report.erase("rules");
  // Only what came to no harm in a process of its own is let into this one.
  if (report["problems"].empty())
    note_problem(report, [&] {
      note_plugin_info(report, describe_plugin(source.plugin));
      if (!usable) return;
      const auto decoder = open_plugin_decoder(source, settings);
      const int64_t edge = 512 / decoder->spec().factor;
      report["decoder"] = describe_network(*decoder, edge, edge);
    });
  report["rules"] = rules;
}

}  // namespace

Json inspect_path(const std::filesystem::path& path, const std::string& as, Session& session) {
  Json report{{"path", path.string()}, {"type", "unknown"}, {"problems", Json::array()}};
  if (const auto plugin = plugin_spec(path.string())) {
    inspect_plugin(report, *plugin, session);
    return problems_last(std::move(report));
  }
  if (!std::filesystem::exists(path))
    throw FileError("cannot read", {path.string(), "", "a file or a folder", "nothing of that name"});
  if (!std::filesystem::is_directory(path)) {
    inspect_file(report, path, as);
  } else if (std::filesystem::exists(path / "model.json")) {
    inspect_package(report, path, session);
  } else {
    report["type"] = "folder";
    note_problem(report, [&] { inspect_file(report, find_weight_file(path), as); });
  }
  return problems_last(std::move(report));
}

}  // namespace lightswitch::cli
