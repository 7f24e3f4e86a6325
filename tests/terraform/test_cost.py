"""The cost page: its prices are the agreed ones, its sums right, and it is current."""

from __future__ import annotations

import datetime
import tomllib

import pytest

from benchmarks.cost import cost

PRICES = tomllib.loads(cost.PRICES.read_text())


@pytest.mark.parametrize(("name", "price"), [("c5.xlarge", 0.17), ("c5.2xlarge", 0.34), ("c5a.xlarge", 0.154)])
def test_prices_and_their_spot_prices(name: str, price: float) -> None:
    assert PRICES["ml_nodes"][name]["on_demand_per_hour"] == price
    assert PRICES["spot"]["discount"] == 0.70
    assert cost.spot_price(PRICES, name) == pytest.approx(price * 0.30)


def test_prices_bear_their_date_and_region() -> None:
    assert isinstance(PRICES["recorded"], datetime.date)
    assert isinstance(PRICES["spot"]["recorded"], datetime.date)
    assert f"recorded {PRICES['recorded']}" in cost.page(PRICES)
    assert PRICES["region"] in cost.page(PRICES)


def test_every_instance_type_of_the_spot_group_has_a_price() -> None:
    assert set(cost.terraform_default("ml_spot_instance_types")) <= set(PRICES["ml_nodes"])


def test_terraforms_defaults_are_read() -> None:
    assert cost.terraform_default("ml_spot_max_size") == 5
    assert cost.terraform_default("general_min_size") == 2
    assert cost.terraform_default("nat_gateway_per_zone") is False
    with pytest.raises(LookupError):
        cost.terraform_default("no_such_variable")


def test_idle_costs_no_ml_node() -> None:
    bill = {line.what: line.per_hour for line in cost.idle_bill(PRICES)}
    assert bill["ML Spot nodes"] == 0
    assert bill["General nodes (t3.medium, on demand)"] == pytest.approx(2 * 0.0416)
    assert bill["Interface endpoints (0 in 2 zones)"] == 0


def test_a_thousand_clips_by_hand() -> None:
    # 4 vCPU at 60 % give 8,640 CPU seconds an hour: 8,640 clips of one CPU second, for 0.17 USD.
    prices = PRICES | {"use": {"cpu_utilisation": 0.6}}
    assert cost.clips_per_hour(prices, "c5.xlarge", 1.0) == pytest.approx(8640)
    assert cost.clips_per_hour(prices, "c5.2xlarge", 2.0) == pytest.approx(8640)


def test_figures_say_what_was_measured_where_and_when() -> None:
    for clip in cost.figures():
        assert clip["cpu_seconds"] > 0
        assert all(clip[key] for key in ("service", "clip", "model", "measured", "machine", "by"))


def test_the_page_is_current() -> None:
    assert cost.PAGE.read_text() == cost.page(PRICES), "make bench-cost"


def test_a_price_names_its_region_wherever_it_is_quoted() -> None:
    """The cluster's default region is another than that of the recorded prices."""
    for name in ("terraform.md", "operations.md", "scaling.md", "cost.md"):
        text = (cost.ROOT / "docs" / name).read_text()
        assert "USD" not in text or PRICES["region"] in text, name
    variables = "".join(path.read_text() for path in (cost.ROOT / "terraform").glob("variables*.tf"))
    assert "USD" not in variables
