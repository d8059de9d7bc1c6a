#include "disk.hpp"

#include <algorithm>
#include <utility>

namespace concur::simulation {

namespace {

constexpr std::size_t kSector = 512;

}  // namespace

const char* word_of(Survival survival) {
  switch (survival) {
    case Survival::kNothing:
      return "nothing survives";
    case Survival::kEverything:
      return "everything survives";
    case Survival::kPrefix:
      return "prefixes survive";
    case Survival::kPages:
      return "some writes survive";
    case Survival::kSectors:
      return "some sectors survive";
    case Survival::kInOrder:
      return "the first writes survive";
  }
  return "";
}

struct Disk::File {
  std::string name;
  Bytes content;  // as the process sees it
  Bytes durable;
  std::vector<Pending> pending;  // what was written since, in order
  bool is_named = false;         // durably: its folder's entry is on the disk
};

void Disk::pass_gate(Operation operation) {
  if (gate_ && operation != Operation::kRead && operation != Operation::kSize) gate_();
}

Disk::Verdict Disk::judge(Operation operation, Fault& fault) {
  if (dead_) return Verdict::kDead;
  const std::uint64_t number = operations_++;
  if (cut_at_ && number >= *cut_at_) {
    dead_ = true;
    return Verdict::kDies;
  }
  if (!fault_ || (fault_->kinds & bit_of(operation)) == 0) return Verdict::kGo;
  if (fault_->after > 0) {
    --fault_->after;
    return Verdict::kGo;
  }
  if (fault_->times == 0) return Verdict::kGo;
  --fault_->times;
  fault = *fault_;
  hit_ = true;
  ++injected_[static_cast<std::size_t>(operation)];
  return Verdict::kFail;
}

Disk::Handle Disk::open(const std::string& name, bool create, Outcome& outcome) {
  pass_gate(Operation::kOpen);
  const std::lock_guard lock(mutex_);
  Fault fault;
  outcome = Outcome::kError;
  switch (judge(Operation::kOpen, fault)) {
    case Verdict::kFail:
      outcome = fault.outcome;
      return nullptr;
    case Verdict::kDies:
    case Verdict::kDead:
      return nullptr;
    case Verdict::kGo:
      break;
  }
  outcome = Outcome::kDone;
  const auto found = files_.find(name);
  if (found != files_.end()) return found->second;
  if (!create) {
    outcome = Outcome::kAbsent;
    return nullptr;
  }
  auto file = std::make_shared<File>();
  file->name = name;
  if (!name.empty()) files_[name] = file;
  return file;
}

Outcome Disk::read(const Handle& file, std::uint64_t offset, std::span<std::byte> into,
                   std::size_t& read) {
  const std::lock_guard lock(mutex_);
  std::ranges::fill(into, std::byte{0});
  read = 0;
  Fault fault;
  if (judge(Operation::kRead, fault) != Verdict::kGo) return Outcome::kError;
  if (offset < file->content.size()) {
    read = std::min<std::size_t>(into.size(), file->content.size() - offset);
    std::copy_n(file->content.begin() + static_cast<std::ptrdiff_t>(offset), read, into.begin());
  }
  return Outcome::kDone;
}

void Disk::put(File& file, Pending pending) {
  pending.sequence = ++sequence_;
  apply(file.content, pending);
  file.pending.push_back(std::move(pending));
}

Outcome Disk::write(const Handle& file, std::uint64_t offset, std::span<const std::byte> from) {
  pass_gate(Operation::kWrite);
  const std::lock_guard lock(mutex_);
  Fault fault;
  const Verdict verdict = judge(Operation::kWrite, fault);
  if (verdict == Verdict::kDead) return Outcome::kError;
  std::size_t size = from.size();
  if (verdict == Verdict::kFail) size = fault.torn && size > 0 ? random_.below(size) : 0;
  if (verdict == Verdict::kDies && random_.one_in(2)) size = 0;
  if (size > 0)
    put(*file,
        {0, offset, Bytes(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(size)), false});
  if (verdict == Verdict::kGo) return Outcome::kDone;
  return verdict == Verdict::kFail ? fault.outcome : Outcome::kError;
}

Outcome Disk::truncate(const Handle& file, std::uint64_t size) {
  pass_gate(Operation::kTruncate);
  const std::lock_guard lock(mutex_);
  Fault fault;
  const Verdict verdict = judge(Operation::kTruncate, fault);
  const bool happens = verdict == Verdict::kGo || (verdict == Verdict::kDies && random_.one_in(2));
  if (happens) put(*file, {0, size, {}, true});
  return verdict == Verdict::kGo ? Outcome::kDone : Outcome::kError;
}

Outcome Disk::sync(const Handle& file) {
  // Once for the beginning and once for the end: others may write in between.
  pass_gate(Operation::kSync);
  std::uint64_t upto = 0;
  {
    const std::lock_guard lock(mutex_);
    upto = sequence_;
  }
  pass_gate(Operation::kSync);
  const std::lock_guard lock(mutex_);
  Fault fault;
  const Verdict verdict = judge(Operation::kSync, fault);
  if (verdict == Verdict::kDead) return Outcome::kError;
  const auto done = std::ranges::find_if(file->pending,
                                         [&](const Pending& each) { return each.sequence > upto; });
  const bool keeps = verdict == Verdict::kGo || (verdict == Verdict::kDies && random_.one_in(2));
  if (keeps && !lies_) {
    for (auto each = file->pending.begin(); each != done; ++each) apply(file->durable, *each);
    // With a new file's first sync SQLite syncs its folder, and all that happened in it before.
    if (!file->is_named) removed_.clear();
    file->is_named = true;
    file->pending.erase(file->pending.begin(), done);
  }
  const bool forgets = verdict == Verdict::kFail && fault.forgets && !lies_;
  if (forgets) file->pending.erase(file->pending.begin(), done);
  return verdict == Verdict::kGo ? Outcome::kDone : Outcome::kError;
}

Outcome Disk::remove(const std::string& name, bool durably) {
  pass_gate(Operation::kDelete);
  const std::lock_guard lock(mutex_);
  Fault fault;
  const Verdict verdict = judge(Operation::kDelete, fault);
  if (verdict != Verdict::kGo) return Outcome::kError;
  const auto found = files_.find(name);
  if (found == files_.end()) return Outcome::kAbsent;
  if (found->second->is_named && (!durably || lies_)) {
    removed_[name] = found->second;
  } else if (durably) {
    removed_.clear();
  }
  files_.erase(found);
  return Outcome::kDone;
}

Outcome Disk::size(const Handle& file, std::uint64_t& size) {
  const std::lock_guard lock(mutex_);
  Fault fault;
  if (judge(Operation::kSize, fault) != Verdict::kGo) return Outcome::kError;
  size = file->content.size();
  return Outcome::kDone;
}

bool Disk::exists(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return files_.contains(name);
}

// --- what goes wrong ---

void Disk::break_with(const Fault& fault) {
  const std::lock_guard lock(mutex_);
  fault_ = fault;
  hit_ = false;
}

void Disk::mend() {
  const std::lock_guard lock(mutex_);
  fault_.reset();
  hit_ = false;
}

void Disk::cut_after(std::uint64_t operations) {
  const std::lock_guard lock(mutex_);
  cut_at_ = operations_ + operations;
}

void Disk::stop() {
  const std::lock_guard lock(mutex_);
  dead_ = true;
}

bool Disk::is_dead() {
  const std::lock_guard lock(mutex_);
  return dead_;
}

bool Disk::was_hit() {
  const std::lock_guard lock(mutex_);
  return hit_;
}

std::uint64_t Disk::operations() {
  const std::lock_guard lock(mutex_);
  return operations_;
}

std::uint64_t Disk::random() {
  const std::lock_guard lock(mutex_);
  return random_.next();
}

// What is there when the disk begins or ends to lie is durable.
void Disk::set_lying(bool lies) {
  const std::lock_guard lock(mutex_);
  lies_ = lies;
  for (auto& [name, file] : files_) {
    for (const Pending& each : file->pending) apply(file->durable, each);
    file->pending.clear();
    file->is_named = true;
  }
  removed_.clear();
}

void Disk::restart() {
  const std::lock_guard lock(mutex_);
  dead_ = hit_ = false;
  fault_.reset();
  cut_at_.reset();
}

void Disk::restart(Survival survival) {
  {
    const std::lock_guard lock(mutex_);
    lose_power(survival);
  }
  restart();
}

void Disk::replace() {
  const std::lock_guard lock(mutex_);
  files_.clear();
  removed_.clear();
  lies_ = false;
}

// --- the power is away ---

void Disk::apply(Bytes& to, const Pending& pending) {
  if (pending.truncates) return to.resize(pending.offset);
  to.resize(std::max<std::size_t>(to.size(), pending.offset + pending.bytes.size()));
  std::ranges::copy(pending.bytes, to.begin() + static_cast<std::ptrdiff_t>(pending.offset));
}

// Some of its sectors. The file grows to its end: that is told apart from what stands there.
void Disk::apply_torn(Bytes& to, const Pending& pending) {
  if (pending.truncates) return apply(to, pending);
  const std::uint64_t end = pending.offset + pending.bytes.size();
  for (std::uint64_t at = pending.offset; at < end;) {
    const std::uint64_t next = std::min<std::uint64_t>(end, (at / kSector + 1) * kSector);
    if (random_.one_in(2)) {
      const auto from = pending.bytes.begin() + static_cast<std::ptrdiff_t>(at - pending.offset);
      apply(to, {0, at, Bytes(from, from + static_cast<std::ptrdiff_t>(next - at)), false});
    }
    at = next;
  }
}

void Disk::settle(File& file, Survival survival) {
  const std::size_t count = file.pending.size();
  const std::size_t prefix = random_.below(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    const Pending& each = file.pending[i];
    switch (survival) {
      case Survival::kNothing:
        break;
      case Survival::kEverything:
        apply(file.durable, each);
        break;
      case Survival::kPrefix:
        if (i < prefix) apply(file.durable, each);
        if (i == prefix) apply_torn(file.durable, each);
        break;
      case Survival::kPages:
        if (random_.one_in(2)) apply(file.durable, each);
        break;
      case Survival::kSectors:
        apply_torn(file.durable, each);
        break;
      case Survival::kInOrder:
        break;  // see lose_the_last()
    }
  }
  file.pending.clear();
  file.content = file.durable;
}

// Up to some write everything is there, and nothing behind it.
void Disk::lose_the_last() {
  std::uint64_t first = sequence_;
  for (auto& [name, file] : files_) {
    if (!file->pending.empty()) first = std::min(first, file->pending.front().sequence);
  }
  const std::uint64_t upto = first + random_.below(sequence_ - first + 2);
  for (auto& [name, file] : files_) {
    std::erase_if(file->pending, [&](const Pending& each) { return each.sequence >= upto; });
    settle(*file, Survival::kEverything);
    file->is_named = true;
  }
  removed_.clear();
}

void Disk::lose_power(Survival survival) {
  if (survival == Survival::kInOrder) return lose_the_last();
  for (auto each = files_.begin(); each != files_.end();) {
    File& file = *each->second;
    const bool is_there = file.is_named || survival == Survival::kEverything ||
                          (survival != Survival::kNothing && random_.one_in(2));
    if (!is_there) {
      each = files_.erase(each);
      continue;
    }
    settle(file, survival);
    file.is_named = true;
    ++each;
  }
  for (auto& [name, file] : removed_) {
    if (survival == Survival::kEverything || !random_.one_in(2)) continue;
    settle(*file, survival);
    files_.try_emplace(name, file);
  }
  removed_.clear();
}

}  // namespace concur::simulation
