#pragma once

#include "command.hpp"

namespace CLI {
class App;
}

namespace concur::cli {

// Of each command: its options and the text under its --help, and what can be judged of it only
// once all are read. Both reject() what is wrong (option_values.hpp).

void add_options(CLI::App& app, Start& start);
void add_options(CLI::App& app, Explain& explain);
void add_options(CLI::App& app, Heartbeat& heartbeat);
void add_options(CLI::App& app, End& end);
void add_options(CLI::App& app, Run& run);
void add_options(CLI::App& app, List& list);
void add_options(CLI::App& app, Purge& purge);
void add_options(CLI::App& app, Report& report);
void add_options(CLI::App& app, Status& status);
void add_options(CLI::App& app, FleetCheck& check);
void add_options(CLI::App& app, FleetShow& show);
void add_options(CLI::App& app, LimitGet& get);
void add_options(CLI::App& app, LimitSet& set);
void add_options(CLI::App& app, LimitUnset& unset);
void add_options(CLI::App& app, LimitList& list);
void add_options(CLI::App& app, PlanSet& set);
void add_options(CLI::App& app, PlanUnset& unset);
void add_options(CLI::App& app, PlanList& list);
void add_options(CLI::App& app, Block& block);
void add_options(CLI::App& app, Unblock& unblock);
void add_options(CLI::App& app, BlockList& list);
void add_options(CLI::App& app, Batch& batch);
void add_options(CLI::App& app, Watch& watch);
void add_options(CLI::App& app, Backup& backup);
void add_options(CLI::App& app, Top& top);

void check(const Start& start);
void check(const Explain& explain);
void check(const Heartbeat& heartbeat);
void check(const End& end);
void check(const Run& run);
void check(const List& list);
void check(const Purge& purge);
void check(const Report& report);
void check(const Status& status);
void check(const FleetCheck& check);
void check(const FleetShow& show);
void check(const LimitGet& get);
void check(const LimitSet& set);
void check(const LimitUnset& unset);
void check(const LimitList& list);
void check(const PlanSet& set);
void check(const PlanUnset& unset);
void check(const PlanList& list);
void check(const Block& block);
void check(const Unblock& unblock);
void check(const BlockList& list);
void check(const Batch& batch);
void check(const Watch& watch);
void check(const Backup& backup);
void check(const Top& top);

}  // namespace concur::cli
