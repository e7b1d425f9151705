"""Their page against ours: safe; and each aspect broken by hand is found, and nothing else."""

from __future__ import annotations

import re

from telemetry.compare.families import Aspect, Difference, compare
from telemetry.compare.fetch import Fetched
from telemetry.compare.page import parse

VIEWS = "django_http_requests_latency_seconds_by_view_method"
STATUS = "django_http_responses_total_by_status_total"


def differences(old: str, new: str) -> list[Difference]:
    return compare(parse("old", Fetched(old)), parse("new", Fetched(new)))


def breaking(old: str, new: str) -> list[tuple[Aspect, str]]:
    return [(each.aspect, each.family) for each in differences(old, new) if each.breaks]


def changed(text: str, pattern: str, replacement: str) -> str:
    new, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    assert count
    return new


def without(text: str, family: str) -> str:
    return changed(text, rf"^(# (HELP|TYPE) )?{family}(_bucket|_sum|_count)?[ {{].*\n", "")


class TestTheirsAndOurs:
    def test_the_move_is_safe(self, theirs: str, ours: str) -> None:
        assert [] == breaking(theirs, ours)

    def test_the_move_is_safe_for_a_scraper_of_openmetrics(self, theirs: str, ours_open: str) -> None:
        assert [] == breaking(theirs, ours_open)

    def test_openmetrics_brings_the_created_series(self, theirs: str, ours: str, ours_open: str) -> None:
        [lost] = [each for each in differences(theirs, ours) if each.aspect is Aspect.CREATED]
        assert "django_cache_get_created" in lost.detail
        assert [] == [each for each in differences(theirs, ours_open) if each.aspect is Aspect.CREATED]

    def test_both_formats_of_one_service_are_the_same(self, ours: str, ours_open: str) -> None:
        assert [] == breaking(ours, ours_open)
        assert [] == breaking(ours_open, ours)
        aspects = {each.aspect for each in [*differences(ours, ours_open), *differences(ours_open, ours)]}
        assert aspects <= {Aspect.VALUES}

    def test_help_is_the_same(self, theirs: str, ours: str) -> None:
        texts = [each for each in differences(theirs, ours) if each.aspect is Aspect.HELP]
        assert [] == [each for each in texts if each.family.startswith("django_")]

    def test_the_way_back_is_not(self, theirs: str, ours: str) -> None:
        assert (Aspect.MISSING, "http_server_request_duration_seconds") in breaking(ours, theirs)

    def test_a_raw_method_is_told(self, theirs: str, ours: str) -> None:
        [values] = [each for each in differences(theirs, ours) if (each.family, each.aspect) == (VIEWS, Aspect.VALUES)]
        assert "method: 'BAR', 'FOO'" == values.detail


class TestEachAspect:
    def test_a_family_that_is_missing(self, theirs: str, ours: str) -> None:
        assert [(Aspect.MISSING, STATUS)] == breaking(theirs, without(ours, STATUS))

    def test_a_family_with_another_name(self, theirs: str, ours: str) -> None:
        renamed = changed(ours, rf"\b{STATUS}\b", "django_http_responses_by_status_total")
        [lost] = [each for each in differences(theirs, renamed) if each.breaks]
        assert (Aspect.MISSING, STATUS) == (lost.aspect, lost.family)
        assert lost.detail.endswith("the nearest on NEW: django_http_responses_by_status_total")

    def test_a_counter_without_its_total(self, theirs: str, ours: str) -> None:
        renamed = changed(ours, rf"\b{STATUS}\b", "django_http_responses_total_by_status")
        assert [(Aspect.MISSING, STATUS)] == breaking(theirs, renamed)

    def test_another_type(self, theirs: str, ours: str) -> None:
        gauge = changed(ours, rf"^# TYPE {STATUS} counter", f"# TYPE {STATUS} gauge")
        assert [(Aspect.TYPE, STATUS)] == breaking(theirs, gauge)

    def test_a_label_less(self, theirs: str, ours: str) -> None:
        dropped = changed(ours, r"(django_http_exceptions_total_by_type_total)\{.*\} ", r"\1 ")
        assert [(Aspect.LABELS, "django_http_exceptions_total_by_type_total")] == breaking(theirs, dropped)

    def test_a_label_more(self, theirs: str, ours: str) -> None:
        more = changed(ours, rf"^{STATUS}\{{", f'{STATUS}{{tenant="a",')
        assert [(Aspect.LABELS, STATUS)] == breaking(theirs, more)

    def test_another_name_of_a_label(self, theirs: str, ours: str) -> None:
        renamed = changed(ours, rf'^({VIEWS}.*)\bview="', r'\1path="')
        [labels] = [each for each in differences(theirs, renamed) if each.breaks]
        assert (Aspect.LABELS, "{method, view} on OLD, {method, path} on NEW") == (labels.aspect, labels.detail)

    def test_a_bucket_less(self, theirs: str, ours: str) -> None:
        less = changed(ours, rf'^{VIEWS}_bucket\{{.*le="0.075".*\n', "")
        [edges] = [each for each in differences(theirs, less) if each.breaks]
        assert (Aspect.EDGES, "only on OLD: 0.075") == (edges.aspect, edges.detail)

    def test_a_bucket_more(self, theirs: str, ours: str) -> None:
        more = changed(ours, rf'^({VIEWS}_bucket\{{.*le=)"0.075"(.*)\n', r'\1"0.075"\2\n\1"0.08"\2\n')
        [edges] = [each for each in differences(theirs, more) if each.breaks]
        assert (Aspect.EDGES, "only on NEW: 0.08") == (edges.aspect, edges.detail)

    def test_an_edge_printed_otherwise(self, theirs: str, ours: str) -> None:
        printed = changed(ours, rf'^({VIEWS}_bucket\{{.*le=)"0.5"', r'\1"0.50"')
        [edges] = [each for each in differences(theirs, printed) if each.breaks]
        assert (Aspect.EDGES, "printed otherwise: 0.5 on OLD, 0.50 on NEW") == (edges.aspect, edges.detail)

    def test_another_help_is_only_told(self, theirs: str, ours: str) -> None:
        other = changed(ours, rf"^# HELP {STATUS} .*", f"# HELP {STATUS} Another text.")
        assert [] == breaking(theirs, other)
        assert [STATUS] == [each.family for each in differences(theirs, other) if each.aspect is Aspect.HELP]

    def test_a_family_without_a_series_is_only_told(self, theirs: str, ours: str) -> None:
        empty = changed(ours, rf"^{STATUS}\{{.*\n", "")
        assert [] == breaking(theirs, empty)
        assert [STATUS] == [each.family for each in differences(theirs, empty) if each.aspect is Aspect.UNTRIED]

    def test_a_family_that_nobody_could_read(self, theirs: str, ours: str) -> None:
        errors = "django_db_new_connection_errors_total"
        assert [] == breaking(theirs, without(ours, errors))
        unused = [each.family for each in differences(theirs, without(ours, errors)) if each.aspect is Aspect.UNUSED]
        assert [errors] == unused

    def test_an_added_family_is_only_told(self, theirs: str) -> None:
        more = f"{theirs}# TYPE jobs_total counter\njobs_total 1\n"
        assert [Difference(Aspect.ADDED, "jobs_total", "counter")] == differences(theirs, more)

    def test_process_metrics_are_only_told(self, theirs: str, ours: str) -> None:
        less = without(ours, "process_open_fds")
        assert [] == breaking(theirs, less)
        assert Difference(Aspect.PROCESS, "process_open_fds", "not on NEW") in differences(theirs, less)


class TestTheMultiProcessPage:
    def test_the_pid_of_migrations(self) -> None:
        old = (
            '# TYPE django_migrations_applied_total gauge\ndjango_migrations_applied_total{connection="d",pid="7"} 1\n'
        )
        new = '# TYPE django_migrations_applied_total gauge\ndjango_migrations_applied_total{connection="d"} 1\n'
        [told] = differences(old, new)
        assert (Aspect.PID, False) == (told.aspect, told.breaks)

    def test_the_pid_of_another_gauge(self) -> None:
        old = '# TYPE busy gauge\nbusy{pid="7"} 1\n'
        assert [(Aspect.LABELS, "busy")] == breaking(old, "# TYPE busy gauge\nbusy 1\n")

    def test_the_move_from_it_is_safe(self, theirs_multiprocess: str, theirs: str, ours: str) -> None:
        """What it leaves out against their other page, ours has: that adds, and breaks nothing."""
        assert [] == breaking(theirs_multiprocess, ours)
        found = {each.aspect: each.family for each in differences(theirs_multiprocess, ours)}
        assert "django_migrations_unapplied_total" == found[Aspect.PID]
        errors = "# TYPE django_db_new_connection_errors_total"
        assert (False, True) == (errors in theirs_multiprocess, errors in theirs)
