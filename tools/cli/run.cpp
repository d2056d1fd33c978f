#include <c10/util/Exception.h>
#include <lightswitch/version.h>

#include <memory>
#include <new>
#include <ostream>

#include "cli/help_formatter.hpp"
#include "cli/output_names.hpp"
#include "cli/session.hpp"
#include "cli/subcommands.hpp"
#include "core/nearest_word.hpp"

namespace lightswitch::cli {
namespace {

const CLI::App& given_command(const CLI::App& app) {
  const CLI::App* command = &app;
  for (auto given = app.get_subcommands(); !given.empty(); given = command->get_subcommands()) command = given.front();
  return *command;
}

std::vector<std::string> words_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  for (const CLI::App* subcommand : command.get_subcommands({})) words.push_back(subcommand->get_name());
  return words;
}

/// The first word that nobody takes: before any command a would-be command, then preferably one that looks like an
/// option.
std::string unknown_word(const CLI::App& app) {
  const auto left = app.remaining(true);
  if (!left.empty() && app.get_subcommands().empty()) return left.front();
  for (const std::string& word : left)
    if (word.size() > 1 && word[0] == '-') return word.substr(0, word.find('='));
  return left.empty() ? "" : left.front();
}

/// CLI11 says "Could not convert: --steps = many": its first part is of no use to a reader.
std::string conversion_mistake(const CLI::App& command, const std::string& what) {
  const size_t colon = what.find(": "), equals = what.find(" = ");
  if (colon == std::string::npos || equals == std::string::npos) return what;
  const std::string name = what.substr(colon + 2, equals - colon - 2);
  const CLI::Option* option = command.get_option_no_throw(name);
  const bool whole = option == nullptr || option->get_type_name() == "N";
  return Error("not a number", {"", name, whole ? "a whole number" : "a number", what.substr(equals + 3)}).what();
}

std::string usage_mistake(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = given_command(app);
  const std::string word = unknown_word(app);
  if (!word.empty()) {
    const std::string nearest = nearest_word(word, words_of(command));
    const bool chooses = !command.get_subcommands({}).empty();
    const std::string kind = word[0] == '-' ? "unknown option " : chooses ? "unknown command " : "unexpected word ";
    return kind + word + (nearest.empty() ? "" : "; did you mean " + nearest + "?");
  }
  if (error.get_name() == "ConversionError") return conversion_mistake(command, error.what());
  return error.what();
}

int refuse(const CLI::App& app, const std::string& mistake, std::ostream& err) {
  std::string path;
  for (const CLI::App* command = &given_command(app); command != &app; command = command->get_parent())
    path = command->get_name() + " " + path;
  err << "error: " << mistake << "\nsee: lightswitch " << path << "--help\n";
  return kWrongUsage;
}

int run_job(const Job& job, Session& session, const CLI::App& app, Terminal terminal) {
  try {
    const CommonOptions& common = session.common();
    apply_process_options(common);
    if (!common.json.empty() && common.json != "-") check_folder_of(common.json);
    job(session);
    return kDone;
  } catch (const UsageError& error) {
    session.progress().leave_line();
    return refuse(app, error.what(), terminal.err);
  } catch (const EndedWith& end) {
    session.error(end.what());
    return end.code();
  } catch (const Cancelled&) {
    session.error("stopped before the work was done");
    return kCancelled;
  } catch (const c10::Error& error) {  // LibTorch's own message ends in a stack trace
    session.error(error.what_without_backtrace());
    return kFailed;
  } catch (const std::bad_alloc&) {
    session.error("out of memory");
    return kFailed;
  } catch (const std::exception& error) {
    session.error(error.what());
    return kFailed;
  }
}

}  // namespace

int run(int argc, const char* const* argv, Terminal terminal, std::stop_token stop) {
  CLI::App app("lightswitch: latent diffusion with the decoder of your choice", "lightswitch");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", "lightswitch " LIGHTSWITCH_VERSION, "Print the version and leave");
  app.set_help_flag("-h,--help", "Print this help and leave");
  app.require_subcommand(1);
  app.footer(
      "`lightswitch COMMAND --help` lists the options of a command.\n"
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 143 terminated;\n"
      "of batches also 3 some items failed and may succeed another time, 42 no other try helps.");
  CommonOptions common;
  Job job;
  add_image_command(app, common, job);
  add_video_command(app, common, job);
  add_calibrate_command(app, common, job);
  add_decode_command(app, common, job);
  add_encode_command(app, common, job);
  add_compare_command(app, common, job);
  add_decoders_command(app, common, job);
  add_inspect_command(app, common, job);
  add_batch_command(app, common, job);
  add_verify_command(app, common, job);
  add_metrics_command(app, common, job);
#ifdef LIGHTSWITCH_AUDIO
  add_codec_command(app, common, job);
#endif

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success, terminal.out, terminal.err);
    return kDone;
  } catch (const CLI::ParseError& error) {
    return refuse(app, usage_mistake(app, error), terminal.err);
  }
  Session session(terminal, common, std::move(stop));
  return run_job(job, session, app, terminal);
}

}  // namespace lightswitch::cli
