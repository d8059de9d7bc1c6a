#pragma once

#include "api/authorize.hpp"
#include "api/batch.hpp"
#include "api/client_memory.hpp"
#include "api/daemon_info.hpp"
#include "api/early_ends.hpp"
#include "api/history.hpp"
#include "api/message.hpp"
#include "api/metrics.hpp"
#include "api/route.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_throttle.hpp"
#include "service/command_meter.hpp"
#include "service/event_log.hpp"
#include "service/service.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace concur {

class HookRequest;
struct HookDialect;

// The HTTP API: routes requests, checks who may and what is asked, hands commands to the service
// and its answers back.
class Api final : public Handler {
 public:
  // All five must outlive the api, and the api the last answer of the service, which publishes to
  // that log of events.
  Api(Service& service, EventLog& events, ClientMemory& memory, const Clock& clock, Logger& log)
      : service_(service),
        commands_(service, clock),
        events_(events),
        memory_(memory),
        clock_(clock),
        log_(log) {}

  void set_info(DaemonInfo info) { info_ = std::move(info); }
  void set_authorize(AuthorizeConfig config) { authorize_ = std::move(config); }

  void begin(Call& call) override;
  std::shared_ptr<BodySink> handle(const Call& call, Respond respond) override;

  // Looks whether the history's next sample is due, and takes it; gives how long until the next is.
  // It is taken too where the history is asked for.
  Millis sample();

  // The table of routes, for those who show or check it.
  static std::span<const Route> routes();

 private:
  void start(const Call& call, Respond respond);
  void heartbeat(const Call& call, Respond respond);
  void end(const Call& call, Respond respond);
  void list_user(const Call& call, Respond respond);
  void explain(const Call& call, Respond respond);
  void list_all(const Call& call, Respond respond);
  void purge(const Call& call, Respond respond);
  void show_limit(const Call& call, Respond respond);
  void set_limit(const Call& call, Respond respond);
  void clear_limit(const Call& call, Respond respond);
  void list_limits(const Call& call, Respond respond);
  void show_block(const Call& call, Respond respond);
  void set_block(const Call& call, Respond respond);
  void unblock(const Call& call, Respond respond);
  void list_blocks(const Call& call, Respond respond);
  void list_plans(const Call& call, Respond respond);
  void show_plan(const Call& call, Respond respond);
  void set_plan(const Call& call, Respond respond);
  void remove_plan(const Call& call, Respond respond);
  void report(const Call& call, Respond respond);
  void backup(const Call& call, Respond respond);
  void fleet(const Call& call, Respond respond);
  void fleet_check(const Call& call, Respond respond);
  void status(const Call& call, Respond respond);
  void health(const Call& call, Respond respond);
  void metrics(const Call& call, Respond respond);
  void legacy_start(const Call& call, Respond respond);
  void legacy_end(const Call& call, Respond respond);
  void authorize(const Call& call, Respond respond);
  void authorize_preflight(const Call& call, Respond respond);
  void hook(const Call& call, Respond respond);
  void openapi(const Call& call, Respond respond);
  void page(const Call& call, Respond respond);
  void history(const Call& call, Respond respond);
  void settings(const Call& call, Respond respond);
  std::shared_ptr<BodySink> batch(const Call& call, Respond respond);
  void events(const Call& call, Respond respond);

  Respond logged(const Request& request, Respond respond) const;
  void answer_no_route(const Request& request, const Respond& respond) const;
  bool permits(const Call& call, Role least);
  Response forbidden(const Call& call, std::string_view cause) const;
  bool permits(Role role, std::string_view caller, const Route& route, Role least);
  Figures figures() const;
  // Hands over a command, and answers with what is made of its answer.
  template <auto ToResponse>
  void submit_as(const Command& command, Respond respond) {
    commands_.submit(command, [respond = std::move(respond)](const Result<Answer>& answer) {
      respond(ToResponse(answer));
    });
  }
  void submit(const Command& command, Respond respond);
  void submit_waiting(const Call& call, const Start& start, Millis wait, Respond respond);
  void submit_legacy(const Command& command, Respond respond);

  struct HookWaits;  // whoever is answered once a hook's command is
  void handle_hook(const HookDialect& dialect, const HookRequest& hook, Respond respond);
  void start_by_hook(const Start& start, std::unique_ptr<HookWaits> waits);
  void end_by_hook(const End& end, std::unique_ptr<HookWaits> waits);
  void warn_of_hook(const HookDialect& dialect, std::string_view cause);

  Service& service_;
  CommandMeter commands_;  // the way to the service for each command
  EventLog& events_;
  ClientMemory& memory_;
  const Clock& clock_;
  Logger& log_;
  DaemonInfo info_;
  AuthorizeConfig authorize_;
  EarlyEnds early_ends_;
  History history_;
  LogThrottle hook_warnings_{1};
  LogThrottle refusals_;
  // Of batches that go on; they share it, for a service that stops may hold some longer than this.
  std::shared_ptr<std::size_t> batches_ = std::make_shared<std::size_t>(0);
  std::shared_ptr<std::size_t> event_streams_ = std::make_shared<std::size_t>(0);
};

}  // namespace concur
