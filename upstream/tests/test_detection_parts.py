"""Each detector on counts written by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from upstream.detection import adjustments, ageing, code_mapping, delay_guard, denial_scope
from upstream.detection.comparison import compare
from upstream.detection.counts import Codes, Denials, Pair, Snapshot, Values
from upstream.detection.finding import Finding


@dataclass
class Given:
    """`Counts` as given; nothing where nothing is given."""

    denied: Mapping[int, Denials] = field(default_factory=dict)
    delayed: Mapping[int, Values] = field(default_factory=dict)
    adjusted: Mapping[int, Values] = field(default_factory=dict)
    mapped: Mapping[int, Codes] = field(default_factory=dict)
    aged: Mapping[int, tuple[Snapshot, Snapshot]] = field(default_factory=dict)

    def denials(self) -> Mapping[int, Denials]:
        return self.denied

    def delays(self) -> Mapping[int, Values]:
        return self.delayed

    def adjustments(self) -> Mapping[int, Values]:
        return self.adjusted

    def codes(self) -> Mapping[int, Codes]:
        return self.mapped

    def open_claims(self) -> Mapping[int, tuple[Snapshot, Snapshot]]:
        return self.aged


def told(given: Given) -> list[tuple[int, str, str]]:
    return [(found.payer_id, str(found.drift_type), found.subject) for found in compare(given).findings]


def denials(baseline: tuple[int, int], current: tuple[int, int], **reasons: Pair) -> Denials:
    """From (denied, answered) before and now."""
    return Denials((baseline[1], current[1]), (baseline[0], current[0]), reasons)


class TestDenialScope:
    def test_the_numbers_of_a_finding(self) -> None:
        (found,) = denial_scope.examine({7: denials((80, 1000), (120, 400))})
        assert (7, "denial_rate", "", 0.08, 0.3, 1000, 400, True) == (
            found.payer_id,
            str(found.drift_type),
            found.subject,
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
            found.matters,
        )
        # asin(sqrt(0.3)) and asin(sqrt(0.08)), from a table.
        assert 2 * (0.57964 - 0.28676) == pytest.approx(found.effect, abs=1e-4)
        assert found.effect / 0.8 == pytest.approx(found.severity)

    def test_severity_ends_at_1(self) -> None:
        (found,) = denial_scope.examine({0: denials((0, 1000), (400, 400))})
        assert 1.0 == found.severity

    @pytest.mark.parametrize(
        ("baseline", "recent"),
        [
            pytest.param((80, 1000), (20, 29), id="too few claims"),
            pytest.param((1, 29), (900, 1000), id="too few before"),
            pytest.param((80, 1000), (25, 1000), id="fewer denials"),
            pytest.param((8_000, 100_000), (2_100, 20_000), id="not worth telling"),
            pytest.param((0, 1000), (2, 40), id="by chance"),
        ],
    )
    def test_nothing_is_told(self, baseline: tuple[int, int], recent: tuple[int, int]) -> None:
        assert [] == told(Given({0: denials(baseline, recent, cost=(baseline[0], recent[0]))}))

    def test_what_one_payer_alone_would_show_is_lost_among_many(self) -> None:
        # 8 % to 14.25 % of 400: p = 0.0003, below 0.001, above 0.001 / 21.
        weak = denials((80, 1000), (57, 400))
        quiet = denials((80, 1000), (80, 1000))
        assert [(0, "denial_rate", "")] == told(Given({0: weak}))
        assert [] == told(Given({0: weak, **dict.fromkeys(range(1, 21), quiet)}))

    def test_denials_for_all_reasons_alike_are_one_event(self) -> None:
        reasons: dict[str, Pair] = {f"reason{number}": (200, 280) for number in range(5)}
        assert [(0, "denial_rate", "")] == told(Given({0: denials((1000, 12_500), (1400, 5000), **reasons)}))

    def test_denials_for_one_reason_are_its_event_alone(self) -> None:
        given = denials((1000, 12_500), (900, 5000), cost=(200, 580), code=(400, 160), time=(400, 160))
        (found,) = compare(Given({0: given})).findings
        assert ("cost", 200 / 12_500, 580 / 5000, 12_500, 5000) == (
            found.subject,
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
        )

    def test_denials_for_one_reason_and_all_are_two_events(self) -> None:
        given = denials((1000, 12_500), (2000, 5000), cost=(200, 1200), code=(400, 400), time=(400, 400))
        assert {(0, "denial_rate", ""), (0, "denial_rate", "cost")} == set(told(Given({0: given})))

    def test_a_new_reason_is_found(self) -> None:
        given = denials((1000, 12_500), (800, 5000), cost=(1000, 400), referral=(0, 400))
        assert [(0, "denial_rate", "referral")] == told(Given({0: given}))

    def test_a_reason_that_takes_the_place_of_another_is_found(self) -> None:
        given = denials((1000, 12_500), (400, 5000), cost=(1000, 0), referral=(0, 400))
        assert [(0, "denial_rate", "referral")] == told(Given({0: given}))

    def test_a_larger_share_of_fewer_denials_is_none(self) -> None:
        given = denials((2500, 12_500), (300, 5000), cost=(700, 290), code=(1800, 10))
        assert [] == told(Given({0: given}))

    def test_a_reason_hardly_above_its_share_is_the_payer(self) -> None:
        # From 2 % to 7.5 %, where a fifth of the denials would be 6 %.
        given = denials((10_000, 100_000), (30_000, 100_000), cost=(2_000, 7_500), code=(8_000, 22_500))
        assert [(0, "denial_rate", "")] == told(Given({0: given}))

    def test_a_reason_hardly_above_its_rate_is_none(self) -> None:
        # From 2 % to 4.5 %, while the others fall from 18 % to 5.5 %.
        given = denials((20_000, 100_000), (10_000, 100_000), cost=(2_000, 4_500), code=(18_000, 5_500))
        assert [] == told(Given({0: given}))

    def test_most_reasons_are_the_payer(self) -> None:
        rising: dict[str, Pair] = dict.fromkeys(("a", "b", "c"), (100, 300))
        given = denials((700, 12_500), (1060, 5000), **rising, d=(200, 80), e=(200, 80))
        assert [(0, "denial_rate", "")] == told(Given({0: given}))

    def test_without_denials_before_it_is_the_payer(self) -> None:
        assert [(0, "denial_rate", "")] == told(Given({0: denials((0, 1000), (80, 400), a=(0, 40), b=(0, 40))}))


def values(baseline: Mapping[int, int], current: Mapping[int, int]) -> Values:
    return Counter(baseline), Counter(current)


class TestDelayGuard:
    def test_the_numbers_of_a_finding(self) -> None:
        (found,) = delay_guard.examine({7: values({10: 50, 20: 50}, {20: 30, 30: 10})})
        # Pairs that tie: 50 of 100 times 30 of 40; all others are later.
        assert (7, "payment_delay", "", 15.0, 20.0, 100, 40, True) == (
            found.payer_id,
            str(found.drift_type),
            found.subject,
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
            found.matters,
        )
        assert 1 - 0.5 * 0.75 == pytest.approx(found.effect)
        assert 1.0 == found.severity

    @pytest.mark.parametrize(
        ("baseline", "recent"),
        [
            pytest.param({20: 90}, {10: 90}, id="earlier"),
            pytest.param({20: 90}, {30: 29}, id="too few claims"),
            pytest.param({20: 29}, {30: 90}, id="too few before"),
            pytest.param({20: 45_000, 21: 55_000}, {20: 40_000, 21: 60_000}, id="not worth telling"),
        ],
    )
    def test_nothing_is_told(self, baseline: dict[int, int], recent: dict[int, int]) -> None:
        assert [] == told(Given(delayed={0: values(baseline, recent)}))

    @pytest.mark.parametrize(
        ("baseline", "recent", "expected"),
        [
            ({20: 90}, {32: 90}, 12),
            ({20: 90}, {10: 90}, 0),
            ({20: 90}, {32: 29}, 0),
            ({20: 51, 21: 49}, {20: 49, 21: 51}, 0),
        ],
    )
    def test_days_later(self, baseline: dict[int, int], recent: dict[int, int], expected: int) -> None:
        assert expected == delay_guard.days_later(values(baseline, recent))


class TestAdjustments:
    def test_the_numbers_of_a_finding(self) -> None:
        (found,) = adjustments.examine({7: values({10: 50, 20: 50}, {20: 30, 30: 10})})
        assert (7, "adjustment_pattern", 0.15, 0.225, 100, 40, True) == (
            found.payer_id,
            str(found.drift_type),
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
            found.matters,
        )
        assert 1 - 0.5 * 0.75 == pytest.approx(found.effect)

    @pytest.mark.parametrize(
        ("baseline", "recent"),
        [
            pytest.param({20: 500}, {10: 500}, id="pays more"),
            pytest.param({20: 500}, {40: 29}, id="too few claims"),
            pytest.param({20: 500}, {22: 500}, id="all alike, by little"),
            pytest.param({20: 9000, 90: 0}, {20: 8600, 90: 400}, id="few, by much"),
        ],
    )
    def test_nothing_is_told(self, baseline: dict[int, int], recent: dict[int, int]) -> None:
        assert [] == told(Given(adjusted={0: values(baseline, recent)}))


def codes(**mapped: Pair) -> Codes:
    """Claims of 300 before and 100 now for each code, so many of them under the code that it names."""
    return {code: {"": (300 - old, 100 - new), f"{code}-mapped": (old, new)} for code, (old, new) in mapped.items()}


class TestCodeMapping:
    def test_the_numbers_of_a_finding(self) -> None:
        whole, found = code_mapping.examine({7: codes(A=(6, 30))})
        assert "" == whole.subject
        assert (7, "code_mapping_change", "A", 0.02, 0.3, 300, 100, True) == (
            found.payer_id,
            str(found.drift_type),
            found.subject,
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
            found.matters,
        )

    def test_one_code_is_its_event_alone(self) -> None:
        # The payer as a whole answers 9 % under another code instead of 2 %, which that one code explains.
        given = codes(A=(6, 30), B=(6, 2), C=(6, 2), D=(6, 2))
        assert [(0, "code_mapping_change", "A")] == told(Given(mapped={0: given}))

    def test_all_codes_are_the_payer(self) -> None:
        given = codes(A=(6, 30), B=(6, 28), C=(6, 31), D=(6, 29))
        assert [(0, "code_mapping_change", "")] == told(Given(mapped={0: given}))

    def test_codes_too_few_to_be_judged_are_judged_together(self) -> None:
        given: Codes = {f"C{number}": {"": (80, 14), "X": (2, 6)} for number in range(10)}
        assert [(0, "code_mapping_change", "")] == told(Given(mapped={0: given}))

    def test_another_target_is_found(self) -> None:
        given: Codes = {"A": {"": (240, 80), "B": (60, 0), "C": (0, 20)}}
        (found,) = compare(Given(mapped={0: given})).findings
        assert ("A", 0.0, 0.2) == (found.subject, found.baseline, found.current)

    def test_more_of_several_targets_is_found_as_all_of_them(self) -> None:
        given: Codes = {"A": {"": (285, 70), "B": (5, 10), "C": (5, 10), "D": (5, 10)}, "B": {"": (600, 200)}}
        (found,) = compare(Given(mapped={0: given})).findings
        assert ("A", 0.05, 0.3) == (found.subject, found.baseline, found.current)

    def test_several_targets_are_one_test(self) -> None:
        one: Codes = {"A": {"": (285, 90), "B": (15, 10)}}
        two: Codes = {"A": {"": (285, 90), "B": (15, 9), "C": (0, 1)}}
        _, of_one = code_mapping.examine({0: one})
        _, of_two = code_mapping.examine({0: two})
        assert 3 * of_one.p_value == pytest.approx(of_two.p_value)

    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(codes(A=(30, 6)), id="less"),
            pytest.param({"A": {"": (300, 15), "B": (0, 14)}}, id="too few claims"),
            pytest.param({"A": {"": (60_000, 19_500), "B": (1_000, 800)}}, id="not worth telling"),
        ],
    )
    def test_nothing_is_told(self, given: Codes) -> None:
        assert [] == told(Given(mapped={0: given}))


def snapshot(submitted: int, later: int = 0, stuck: float = 0.0) -> dict[int, Pair]:
    """Claims by age, so many submitted a day: all answered after 20 days (or `later`), but for those stuck."""
    shares = {age: max(1 - max(0, age - later) / 20, stuck if age < 60 + later else 0) for age in range(90)}
    return {age: (submitted, round(submitted * share)) for age, share in shares.items()}


class TestAgeing:
    def find(self, before: Snapshot, now: Snapshot, later: int = 0) -> Finding:
        (found,) = ageing.examine({0: (before, now)}, {0: later})
        return found

    def test_the_numbers_of_a_finding(self) -> None:
        before: Snapshot = {1: (100, 100), 30: (100, 50), 60: (0, 0)}
        now: Snapshot = {1: (50, 50), 30: (50, 50), 60: (50, 50)}
        found = self.find(before, now)
        # Of age 60 nothing is known before. Expected are 50 of age 1 and 25 of age 30; open are 50 and 50.
        assert ("ar_aging", 1.0, 15.5, 150, 100) == (
            str(found.drift_type),
            found.baseline,
            found.current,
            found.baseline_size,
            found.current_size,
        )
        assert (2 / 3 - 1 / 3) * 0.5 == pytest.approx(found.effect)
        assert found.effect / 0.474 == pytest.approx(found.severity)

    def test_claims_that_stay_are_told(self) -> None:
        assert [(0, "ar_aging", "")] == told(Given(aged={0: (snapshot(20), snapshot(20, stuck=0.3))}))

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            pytest.param(snapshot(20), snapshot(20), id="the same"),
            pytest.param(snapshot(20, stuck=0.3), snapshot(20), id="younger"),
            pytest.param(snapshot(20, stuck=0.3), snapshot(20, stuck=0.3), id="claims that always stay"),
            pytest.param({1: (20, 19)}, {1: (20, 20)}, id="too few open"),
            pytest.param({1: (400, 400), 30: (400, 0)}, {1: (400, 400), 30: (400, 40)}, id="not worth telling"),
            pytest.param({}, snapshot(20), id="nothing before"),
            pytest.param(snapshot(4), snapshot(4) | dict.fromkeys(range(60, 70), (4, 1)), id="by chance"),
        ],
    )
    def test_nothing_is_told(self, before: Snapshot, now: Snapshot) -> None:
        assert [] == told(Given(aged={0: (before, now)}))

    def test_who_submits_less_has_older_claims_and_no_drift(self) -> None:
        before = snapshot(200)
        now = {age: (200, hits) if age >= 10 else (20, hits // 10) for age, (_, hits) in before.items()}
        found = self.find(before, now)
        assert found.baseline == found.current
        assert 0.0 == pytest.approx(found.effect)
        assert [] == told(Given(aged={0: (before, now)}))

    def test_later_payment_is_no_ageing_but_what_goes_beyond_is(self) -> None:
        before, late, stuck = snapshot(40), snapshot(40, later=12), snapshot(40, later=12, stuck=0.4)
        delayed = {0: values({20: 100}, {32: 100})}
        assert [(0, "ar_aging", "")] == told(Given(aged={0: (before, late)}))
        assert [(0, "payment_delay", "")] == told(Given(delayed=delayed, aged={0: (before, late)}))
        assert {(0, "payment_delay", ""), (0, "ar_aging", "")} == set(
            told(Given(delayed=delayed, aged={0: (before, stuck)}))
        )


class TestCompare:
    def test_gravest_first(self) -> None:
        payers = {number: denials((80, 1000), (100 + 20 * number, 400)) for number in range(5)}
        assert [4, 3, 2, 1, 0] == [payer for payer, _, _ in told(Given(payers))]

    def test_each_product_tells_its_own_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Slow(Given):
            """A clock that the counts move on by themselves: 1 for denials, 10 for delays, 100 for each other."""

            now = 0.0

            def denials(self) -> Mapping[int, Denials]:
                Slow.now += 1
                return {}

            def delays(self) -> Mapping[int, Values]:
                Slow.now += 10
                return {}

            def codes(self) -> Mapping[int, Codes]:
                Slow.now += 100
                return {}

        monkeypatch.setattr("time.perf_counter", lambda: Slow.now)
        assert {"DelayGuard": 10, "DenialScope": 1, "DriftWatch": 100} == compare(Slow()).seconds

    def test_nothing_gives_nothing(self) -> None:
        assert [] == told(Given())

    def test_a_p_value_too_small_to_tell_from_nothing(self) -> None:
        (found,) = denial_scope.examine({0: denials((0, 100_000), (100_000, 100_000))})
        assert 0.0 == found.p_value
        assert math.pi == pytest.approx(found.effect)
