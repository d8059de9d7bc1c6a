#include "service/long_reads.hpp"

#include "base/text.hpp"
#include "store/backup.hpp"
#include "store/report_reader.hpp"

namespace concur {

namespace {

Error cannot(const char* what, const std::string& path, const Error& error) {
  return {error.kind, text::format("cannot {} {}: {}", what, path, error.message)};
}

ReportWork into(LongWork& work) {
  return [&work](const WorkState& state) { work.report(state.done, state.total); };
}

}  // namespace

Result<void> check_in_place(const DatabaseFiles* files, const std::string& path) {
  if (files == nullptr || files->in_place()) return {};
  return Error{
      ErrorKind::kUnavailable,
      text::format("cannot read {}: its files were taken away; try again in a moment", path)};
}

Result<Report> read_report(const std::string& path, const ReportQuery& query,
                           std::int64_t first_hour, LongWork& work, Interruption& interruption) {
  constexpr const char* kWhat = "read the record in";
  auto reader = ReportReader::open(path);
  if (!reader) return cannot(kWhat, path, reader.error());
  auto report = interruption.run([&reader] { reader->interrupt(); },
                                 [&] { return reader->read(query, first_hour, into(work)); });
  if (!report) return cannot(kWhat, path, report.error());
  return report;
}

Result<Report> read_report(const std::vector<AddUsage>& record, const ReportQuery& query,
                           std::int64_t first_hour, LongWork& work, Interruption& interruption) {
  constexpr const char* kWhat = "read";
  auto reader = ReportReader::of(record);
  if (!reader) return cannot(kWhat, "the fleet's record", reader.error());
  auto report = interruption.run([&reader] { reader->interrupt(); },
                                 [&] { return reader->read(query, first_hour, into(work)); });
  if (!report) return cannot(kWhat, "the fleet's record", report.error());
  return report;
}

Result<Fd> copy_database(const DatabaseFiles* files, const std::string& path, LongWork& work,
                         Interruption& interruption) {
  if (auto there = check_in_place(files, path); !there) return there.error();
  constexpr const char* kWhat = "copy";
  auto copy = DatabaseCopy::open(path);
  if (!copy) return cannot(kWhat, path, copy.error());
  auto made =
      interruption.run([&copy] { copy->interrupt(); }, [&] { return copy->make(into(work)); });
  if (!made) return cannot(kWhat, path, made.error());
  return made;
}

}  // namespace concur
