"""Which addresses are read, and that no other is connected to."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_address

import httpcore
import pytest
from sg_common.analysis import Job
from sg_common.errors import Cancelled, Forbidden
from sg_common.sources.addresses import Address, CheckedNetwork, public, resolve

PUBLIC = ["1.1.1.1", "52.95.110.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.254"]
PUBLIC += ["2606:4700:4700::1111", "2a05:d018::1", "2400:6500::1"]
OTHERS = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd00:ec2::254", "fec0::1"],
    "link-local, with the cloud's metadata": ["169.254.169.254", "169.254.170.2", "fe80::1"],
    "shared by carriers": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved and broadcast": ["240.0.0.1", "255.255.255.255", "4000::1", "100::1"],
    "protocols and benchmarks": ["192.0.0.1", "192.0.0.170", "198.18.0.1", "2001:2::1", "2001:10::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:1.1.1.1", "::127.0.0.1", "::ffff:0:10.0.0.1"],
    "NAT64": ["64:ff9b::a9fe:a9fe", "64:ff9b::101:101", "64:ff9b:1::1"],
    "6to4 and its relays": ["2002:a9fe:a9fe::1", "2002:101:101::1", "192.88.99.1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert public(ip_address(address))


@pytest.mark.parametrize("address", [address for addresses in OTHERS.values() for address in addresses])
def test_every_other_address(address: str) -> None:
    assert not public(ip_address(address))


class Changing:
    """A resolver whose answer changes each time, as that of a host that means harm."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def __call__(self, _: str) -> list[Address]:
        return [ip_address(text) for text in self.answers.pop(0).split()]


def loopback_of_this_test(address: Address) -> bool:
    return str(address) == "127.0.0.1"


def test_what_was_checked_is_what_is_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resolver = Changing("127.0.0.1", "127.0.0.2")
        network = CheckedNetwork(loopback_of_this_test, resolver, Job(20), 20)
        stream = network.connect_tcp("media.example", listener.getsockname()[1], 20)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        assert resolver.answers == ["127.0.0.2"], "it was asked once"
        stream.close()
        with pytest.raises(Forbidden, match="is not on the public internet") as refusal:
            network.connect_tcp("media.example", listener.getsockname()[1], 20)
        assert "127.0.0.2" not in refusal.value.detail


@pytest.mark.parametrize("answer", ["1.1.1.1 10.0.0.1", "::1", "169.254.169.254"])
def test_one_address_that_is_not_public_is_one_too_many(answer: str) -> None:
    with pytest.raises(Forbidden):
        CheckedNetwork(public, Changing(answer), Job(20), 20).connect_tcp("media.example", 443, 20)


def test_numbers_that_are_addresses_in_disguise_are_checked_too() -> None:
    for name in ("2130706433", "0x7f.1", "127.1", "localhost"):
        with pytest.raises(Forbidden):
            CheckedNetwork(public, resolve, Job(20), 20).connect_tcp(name, 443, 20)


def test_of_several_addresses_the_first_that_answers_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        network = CheckedNetwork(lambda _: True, Changing("127.0.0.2 127.0.0.1"), Job(20), 20)
        stream = network.connect_tcp("media.example", listener.getsockname()[1], 20)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        stream.close()


@pytest.mark.parametrize("answer", ["", "127.0.0.1"])
def test_nobody_there(answer: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(httpcore.ConnectError):
        CheckedNetwork(lambda _: True, Changing(answer), Job(20), 20).connect_tcp("media.example", port, 20)


@pytest.mark.parametrize("name", ["a..media.example", f"{'a' * 64}.media.example", ".media.example", "-"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(httpcore.ConnectError):
        CheckedNetwork(lambda _: True, resolve, Job(20), 20).connect_tcp(name, 443, 20)


def test_who_is_cancelled_does_not_wait_for_a_silent_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        job = Job(60)
        stream = CheckedNetwork(lambda _: True, resolve, job, 60).connect_tcp(
            "127.0.0.1", listener.getsockname()[1], 20
        )
        threading.Timer(0.3, job.cancel).start()
        with pytest.raises(Cancelled):
            stream.read(100, 60)
        stream.close()
