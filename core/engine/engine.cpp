#include "engine/engine.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace concur::engine {

namespace {

constexpr Millis kFirstPause{25};            // before another attempt; doubled by each
constexpr unsigned kMaxDoublings = 3;        //
constexpr unsigned kFreeAttempts = 5;        // that follow the one before at once
constexpr std::size_t kMaxWaiting = 65'536;  // of those who pause, and of those who are parked
constexpr Millis kMaxUnused{10'000};         // then a server that owns nothing is forgotten
constexpr std::size_t kAskedAtOnce = 3;      // of a cluster

}  // namespace

Engine::Engine(Turn& turn, const Clock& clock, Dialer& dialer, EngineConfig config)
    : turn_(turn),
      clock_(clock),
      config_(std::move(config)),
      surroundings_{turn, clock, dialer, config_.login, config_.timeout},
      scan_(clock, [this](RequestPtr request) { route(std::move(request)); }) {}

Engine::~Engine() = default;

// --- what is asked ---

void Engine::change(const Change& change, Instant deadline, OnChange done) {
  route(std::make_unique<ChangeRequest>(change, deadline, std::move(done)));
}

// In a cluster a server that is a replica by now answers MOVED.
void Engine::read(std::string key, std::vector<std::string> fields, Instant deadline, OnRead done) {
  const bool cluster = mode_ == Survey::Mode::kCluster;
  route(std::make_unique<ReadRequest>(cluster ? Script::kRead : Script::kReadAsPrimary,
                                      std::move(key), std::move(fields), deadline,
                                      std::move(done)));
}

void Engine::keys(WalkPosition from, Instant deadline, OnKeys done) {
  switch (mode_) {
    case Survey::Mode::kUnknown:
      return keys_once_known(from, deadline, std::move(done));
    case Survey::Mode::kSingle:
      return scan_.keys_of_one(from, deadline, std::move(done));
    case Survey::Mode::kCluster:
      break;
  }
  if (from.is_by_slots()) {
    const auto slot = static_cast<Slot>(std::min<std::uint64_t>(from.at, kSlots - 1));
    return route(std::make_unique<KeysRequest>(config_.prefix, slot, deadline, std::move(done)));
  }
  std::vector<Slot> slots;
  for (const Address& each : topology_.primaries()) {
    if (const auto slot = topology_.slot_owned_by(each)) slots.push_back(*slot);
  }
  scan_.keys_of_cluster(from, std::move(slots), deadline, std::move(done));
}

// Something else waits until somebody has said what the servers are.
void Engine::keys_once_known(WalkPosition from, Instant deadline, OnKeys done) {
  auto shared = std::make_shared<OnKeys>(std::move(done));
  read(config_.prefix + "absent", {"t"}, deadline,
       [this, from, deadline, shared](ReadOutcome&& outcome) {
         if (outcome.available && mode_ != Survey::Mode::kUnknown) {
           return keys(from, deadline, std::move(*shared));
         }
         KeysOutcome failed;
         failed.cause = outcome.cause;
         (*shared)(std::move(failed));
       });
}

// --- where requests go ---

void Engine::route(RequestPtr request) {
  const Address* const owner = topology_.owner(request->slot);
  if (owner == nullptr) return park(std::move(request));
  send_to(*owner, std::move(request));
}

void Engine::send_to(const Address& address, RequestPtr request) {
  Primary* const primary = primary_at(address);
  if (primary == nullptr) return request->fail("the engine names too many servers");
  primary->add(std::move(request), clock_.now().instant);
  flush_later();
}

Primary* Engine::primary_at(const Address& address) {
  const auto known = primaries_.find(address);
  if (known != primaries_.end()) return known->second.primary.get();
  if (primaries_.size() >= kMaxServers) return nullptr;
  auto primary = std::make_unique<Primary>(static_cast<Router&>(*this), surroundings_, counters_,
                                           address, config_.ack);
  Primary& made = *primary;
  primaries_.emplace(address, Known{std::move(primary), std::nullopt});
  made.check_time(clock_.now().instant, {});
  return &made;
}

// Nobody is known to own its slot.
void Engine::park(RequestPtr request) {
  survey_wanted_ = true;
  if (lost_ || parked_.size() >= kMaxWaiting) {
    return request->fail(trouble_.empty() ? "no server is known to own its slot" : trouble_);
  }
  if (request->primary != nullptr || !request->is_linked()) {
    request->unlink();
    parked_list_.push_back(*request);
    request->primary = nullptr;
    request->entered = clock_.now().instant;
  }
  parked_.push_back(std::move(request));
}

void Engine::pause(RequestPtr request) {
  if (paused_.size() >= kMaxWaiting)
    return request->fail("too much is asked of the engine already");
  const unsigned doublings = std::min(request->attempts, kMaxDoublings);
  request->resumes = clock_.now().instant + kFirstPause * (1U << doublings) / 2;
  paused_.push_back(std::move(request));
}

// What was not sent yet goes to whom it belongs to by now.
void Engine::route_again() {
  std::vector<RequestPtr> all = std::exchange(parked_, {});
  for (const auto& [address, known] : primaries_) {
    for (RequestPtr& request : known.primary->take_queued()) all.push_back(std::move(request));
  }
  for (RequestPtr& request : all) {
    if (!request->is_done()) route(std::move(request));
  }
}

void Engine::reconnect(const Address& address, std::string_view cause) {
  const auto known = primaries_.find(address);
  if (known != primaries_.end()) known->second.primary->reconnect(std::string(cause));
}

// --- attempts in vain ---

void Engine::on_refused(RequestPtr request, Refusal refusal, std::string_view error,
                        const Address& from) {
  ++request->attempts;
  const auto said = [&] { return text::format("{} answers: {}", to_text(from), error); };
  switch (refusal) {
    case Refusal::kMoved:
    case Refusal::kAsk:
      return on_redirect(std::move(request), refusal, error, from);
    case Refusal::kReadOnly:
    case Refusal::kMasterDown:
      ++counters_.read_only;
      survey_wanted_ = true;
      reconnect(from, error);
      return pause(std::move(request));
    case Refusal::kLoading:
    case Refusal::kClusterDown:
      survey_wanted_ = true;
      [[fallthrough]];
    case Refusal::kTryAgain:
    case Refusal::kBusy:
      ++counters_.retried;
      return pause(std::move(request));
    case Refusal::kFull:
      return request->fail_full(said());
    case Refusal::kNoAccess:
      if (error.starts_with("NOAUTH")) reconnect(from, error);
      break;
    case Refusal::kNoScript:
    case Refusal::kMisconf:
    case Refusal::kNoReplicas:
    case Refusal::kUnblocked:
    case Refusal::kOther:
      break;
  }
  request->fail(said());
}

void Engine::on_redirect(RequestPtr request, Refusal refusal, std::string_view error,
                         const Address& from) {
  const auto redirect = parse_redirect(error, from);
  if (!redirect || redirect->slot != request->slot || mode_ == Survey::Mode::kSingle) {
    survey_wanted_ = true;
    return request->fail(
        text::format("{} answers with a redirect that makes no sense: {}", to_text(from), error));
  }
  if (refusal == Refusal::kMoved) {
    ++counters_.moved;
    survey_wanted_ = true;
    topology_.set_owner(redirect->slot, redirect->to);
    scan_.forget();
  } else {
    ++counters_.asked;
  }
  if (request->attempts > kFreeAttempts) return pause(std::move(request));
  request->asking = refusal == Refusal::kAsk;
  send_to(redirect->to, std::move(request));
}

void Engine::on_lost(RequestPtr request) {
  ++counters_.retried;
  if (++request->attempts > kFreeAttempts) return pause(std::move(request));
  route(std::move(request));
}

void Engine::on_disconnected() {
  ++counters_.reconnects;
  survey_wanted_ = true;
  scan_.forget();
}

// --- time ---

void Engine::tick() {
  turn_.run([this] { check_time(); });
}

// Calls back, so that meanwhile more may be asked, of other servers too.
void Engine::check_time() {
  const Instant now = clock_.now().instant;
  for (const auto& [address, known] : primaries_) {
    const bool open = known.primary->breaker().is_open();
    known.primary->check_time(now, open ? probe_key(address) : std::string());
    survey_wanted_ |= open;
  }
  resume_paused(now);
  end_parked(now);
  check_survey(now);
  forget_unused(now);
  flush_later();
}

void Engine::resume_paused(Instant now) {
  std::vector<RequestPtr> due;
  std::erase_if(paused_, [&](RequestPtr& request) {
    if (now < request->resumes && !request->is_done()) return false;
    due.push_back(std::move(request));
    return true;
  });
  for (RequestPtr& request : due) {
    if (!request->is_done()) route(std::move(request));
  }
}

void Engine::end_parked(Instant now) {
  lost_ |= !parked_list_.empty() && now - parked_list_.front().entered >= config_.timeout;
  Requests over;
  for (auto at = parked_list_.begin(); at != parked_list_.end();) {
    Request& request = *at++;
    if (!lost_ && now < request.deadline) continue;
    request.unlink();
    over.push_back(request);
  }
  const std::string cause = trouble_.empty() ? "no server is known to own its slot" : trouble_;
  while (!over.empty()) over.front().fail(cause);
  std::erase_if(parked_, [](const RequestPtr& request) { return request->is_done(); });
}

void Engine::check_survey(Instant now) {
  if (!survey_) {
    if (!survey_wanted_ || now < next_survey_) return;
    survey_wanted_ = false;
    next_survey_ = now + kSurveyPause;
    ++counters_.surveys;
    survey_ = std::make_unique<Survey>(surroundings_, whom_to_ask());
  }
  survey_->check_time();
  if (survey_->is_over()) conclude_survey();
}

// Of servers without cluster mode all must be heard; those of a cluster know of each other, and
// others each time, for one that is cut off from the rest knows no better.
std::vector<Address> Engine::whom_to_ask() {
  if (mode_ != Survey::Mode::kCluster) return config_.seeds;
  std::vector<Address> all = topology_.primaries();
  all.insert(all.end(), topology_.replicas().begin(), topology_.replicas().end());
  for (const Address& seed : config_.seeds) {
    if (std::ranges::find(all, seed) == all.end()) all.push_back(seed);
  }
  std::vector<Address> asked;
  for (std::size_t i = 0; i < std::min(kAskedAtOnce, all.size()); ++i) {
    asked.push_back(all[next_asked_++ % all.size()]);
  }
  return asked;
}

void Engine::conclude_survey() {
  const auto survey = std::exchange(survey_, nullptr);
  if (survey->mode() != Survey::Mode::kUnknown) mode_ = survey->mode();
  if (survey->topology()) {
    trouble_.clear();
    return adopt(*survey->topology());
  }
  trouble_ = survey->cause();
  survey_wanted_ = true;
  // Which of them is the right one nobody here can know.
  if (survey->has_rivals()) topology_ = Topology();
}

void Engine::adopt(Topology topology) {
  const bool same = topology.agrees_with(topology_);
  topology_ = std::move(topology);
  for (const Address& address : topology_.primaries()) primary_at(address);
  if (same) return;
  scan_.forget();
  lost_ = false;
  route_again();
}

void Engine::forget_unused(Instant now) {
  for (auto at = primaries_.begin(); at != primaries_.end();) {
    Known& known = at->second;
    const bool used =
        !known.primary->is_idle() ||
        std::ranges::find(topology_.primaries(), at->first) != topology_.primaries().end();
    if (used) {
      known.unused_since.reset();
    } else if (!known.unused_since) {
      known.unused_since = now;
    }
    if (known.unused_since && now - *known.unused_since >= kMaxUnused) {
      at = primaries_.erase(at);
    } else {
      ++at;
    }
  }
}

std::string Engine::probe_key(const Address& primary) const {
  const auto slot = topology_.slot_owned_by(primary);
  return slot ? text::format("{}probe:{{{}}}", config_.prefix, tag_of(*slot)) : std::string();
}

void Engine::ask_time(Instant deadline) {
  const std::vector<Address> primaries = topology_.primaries();
  for (const Address& each : primaries) {
    std::string key = probe_key(each);
    if (!key.empty()) read(std::move(key), {"t"}, deadline, [](ReadOutcome&&) {});
  }
}

void Engine::flush() {
  const Instant now = clock_.now().instant;
  for (const auto& [address, known] : primaries_) known.primary->flush(now);
}

void Engine::close() {
  constexpr std::string_view kCause = "the daemon stops";
  while (!parked_list_.empty()) parked_list_.front().fail(kCause);
  for (const auto& [address, known] : primaries_) known.primary->close(std::string(kCause));
}

// --- what is known ---

EngineHealth Engine::health() const {
  EngineHealth health;
  health.whole = topology_.is_whole();
  health.trouble = trouble_;
  const Instant now = clock_.now().instant;
  for (const auto& [address, known] : primaries_) {
    if (!topology_.slot_owned_by(address)) continue;
    const Primary& primary = *known.primary;
    const bool up = primary.is_ready() && !primary.breaker().is_open();
    health.whole &= up;
    health.primaries.push_back({address, up, primary.trouble(), primary.clock().bounds(now),
                                primary.clock().steps(), primary.ration().is_short(),
                                primary.requests()});
  }
  return health;
}

Counters Engine::counters() const { return counters_; }

std::optional<EngineClock::Bounds> Engine::clock_of(std::string_view key) const {
  const Address* const owner = topology_.owner(slot_of(key));
  const auto known = owner == nullptr ? primaries_.end() : primaries_.find(*owner);
  if (known == primaries_.end()) return std::nullopt;
  return known->second.primary->clock().bounds(clock_.now().instant);
}

}  // namespace concur::engine
