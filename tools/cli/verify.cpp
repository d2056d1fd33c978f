#include <lightswitch/batch/verify.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/report.hpp"
#include "cli/session.hpp"
#include "cli/subcommands.hpp"

namespace lightswitch::cli {
namespace {

using Json = nlohmann::ordered_json;

struct VerifyArguments {
  std::string folder, manifest;
};

Json to_json(const BatchCheck& check) {
  const BatchStatistics& sum = check.statistics;
  Json problems = Json::array();
  for (const BatchProblem& problem : check.problems)
    problems.push_back({{"flaw", to_string(problem.flaw)},
                        {"id", problem.id},
                        {"line", problem.line},
                        {"detail", problem.detail},
                        {"retry", problem.retry}});
  Json memory = Json::array();
  for (const ShardMemory& shard : sum.memory)
    memory.push_back({{"file", shard.file},
                      {"pictures", shard.pictures},
                      {"begin_bytes", shard.begin_bytes},
                      {"end_bytes", shard.end_bytes}});
  return {{"command", "verify"},
          {"items", check.items},
          {"complete", check.complete},
          {"others", check.others},
          {"statistics",
           {{"results_files", sum.results_files},
            {"pictures", sum.pictures},
            {"bytes", sum.bytes},
            {"ms_denoise", sum.ms_denoise},
            {"ms_decode", sum.ms_decode},
            {"ms_encode_file", sum.ms_encode_file},
            {"peak_bytes", sum.peak_bytes},
            {"memory", memory}}},
          {"problems", problems}};
}

void print(const BatchCheck& check, std::ostream& out) {
  std::map<BatchFlaw, int64_t> counts;
  for (const BatchProblem& problem : check.problems) {
    ++counts[problem.flaw];
    out << to_string(problem.flaw) << "\t" << (problem.id.empty() ? "line " + std::to_string(problem.line) : problem.id)
        << "\t" << problem.detail.substr(0, problem.detail.find('\n')) << "\n";
  }
  out << check.complete << " of " << check.items << " items complete";
  for (const auto& [flaw, count] : counts) out << ", " << count << " " << to_string(flaw);
  if (check.others > 0) out << "; " << check.others << " pictures that the manifest does not name";
  const BatchStatistics& sum = check.statistics;
  char text[200];
  const double pictures = sum.pictures > 0 ? static_cast<double>(sum.pictures) : 1;
  std::snprintf(text, sizeof text,
                "\n%lld pictures in %lld results files, %.1f MB; a picture: denoise %.0f ms, decode %.1f ms, "
                "file %.1f ms; peak %lld MiB\n",
                static_cast<long long>(sum.pictures), static_cast<long long>(sum.results_files),
                static_cast<double>(sum.bytes) / 1e6, sum.ms_denoise / pictures, sum.ms_decode / pictures,
                sum.ms_encode_file / pictures, static_cast<long long>(sum.peak_bytes >> 20));
  out << text;
  if (sum.memory.empty()) return;
  const auto most = std::ranges::max_element(sum.memory, {}, &ShardMemory::growth);
  std::snprintf(text, sizeof text, ": %.1f MiB during the first tenth of %lld pictures, %.1f MiB during the last\n",
                static_cast<double>(most->begin_bytes) / (1 << 20), static_cast<long long>(most->pictures),
                static_cast<double>(most->end_bytes) / (1 << 20));
  out << "memory grew most in " << most->file << text;
}

void verify(const VerifyArguments& arguments, Session& session) {
  BatchCheck check;
  try {
    check = verify_batch(
        arguments.folder, arguments.manifest,
        [&](int64_t done, int64_t total) { session.progress().update("verify", done, total); }, session.stop());
  } catch (const UnusableBatch& error) {
    throw EndedWith(kNeverSucceeds, error.what());
  }
  if (session.common().json != "-") print(check, session.out());
  write_json(to_json(check), session);
  if (check.problems.empty()) return;
  bool retry = false;
  for (const BatchProblem& problem : check.problems) retry |= problem.retry;
  throw EndedWith(retry ? kSomeFailed : kNeverSucceeds, retry ? "not complete; `lightswitch batch --resume` goes on"
                                                              : "not complete, and going on would not help");
}

}  // namespace

void add_verify_command(CLI::App& app, CommonOptions& common, Job& job) {
  auto* command =
      app.add_subcommand("verify", "Say which pictures of a batch are missing, damaged or of other settings");
  const auto to = std::make_shared<VerifyArguments>();
  command->add_option("folder", to->folder, "What `lightswitch batch -o` wrote, all shards")
      ->type_name("DIR")
      ->required();
  command->add_option("--manifest", to->manifest, "What the batch was to make")
      ->type_name("MANIFEST.jsonl")
      ->required();
  add_common_options(*command, common, false);
  command->footer(
      "Exit codes: 0 complete, 3 something is left that the batch may mend with --resume, 42 something that it "
      "cannot.\n"
      "Example:\n"
      "  lightswitch verify pictures --manifest prompts.jsonl --json report.json");
  command->callback([to, &job] { job = [to](Session& session) { verify(*to, session); }; });
}

}  // namespace lightswitch::cli
