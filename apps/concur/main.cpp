#include "exit_code.hpp"
#include "guarded.hpp"
#include "options.hpp"
#include "output.hpp"
#include "run.hpp"

namespace concur::cli {

namespace {

Result<int> run_args(std::vector<std::string> args) {
  auto parsed = parse_options(std::move(args));
  if (!parsed) return std::move(parsed).error();
  if (const auto* text = std::get_if<Text>(&*parsed)) {
    if (auto written = write_output(text->text); !written) return std::move(written).error();
    return static_cast<int>(ExitCode::kDone);
  }
  return run(std::get<Options>(*parsed));
}

}  // namespace

}  // namespace concur::cli

// All of concur. Where it is called by its name, quick/main.cpp stands before it.
int main(int argc, char** argv) {
  using namespace concur::cli;
  return guarded([argc, argv] {
    prepare_output();
    return run_args({argv + (argc > 0 ? 1 : 0), argv + argc});
  });
}
