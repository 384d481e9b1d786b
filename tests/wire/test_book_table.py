"""Places in the tables: who reaches how many buckets, and that nobody else can foresee them."""

from random import Random

from lc_node.chain.crypto import sha256
from lc_node.chain.types import Digest
from lc_node.wire.book_table import (
    BUCKET_SIZE,
    NEW_BUCKETS,
    NEW_BUCKETS_PER_SOURCE,
    TRIED_BUCKETS,
    TRIED_BUCKETS_PER_GROUP,
    Bucket,
    Place,
    Table,
    new_place,
    tried_place,
)
from lc_node.wire.endpoints import Group, group_of
from tests.wire.book_people import SECRET, first, host, key

OTHER = Digest(sha256(b"another secret"))
SOURCE = Group(b"a source")


def test_one_source_reaches_few_buckets_whomever_it_tells_of() -> None:
    places = [new_place(SECRET, key(n), group_of(host(n)), SOURCE) for n in range(2_000)]

    assert len({place.bucket for place in places}) <= NEW_BUCKETS_PER_SOURCE


def test_many_sources_reach_all_buckets() -> None:
    places = [
        new_place(SECRET, key(n), group_of(host(n)), group_of(host(n))) for n in range(9_000)
    ]

    assert {place.bucket for place in places} == set(range(NEW_BUCKETS))
    assert {place.position for place in places} == set(range(BUCKET_SIZE))


def test_one_network_reaches_few_buckets_of_those_that_were_reached() -> None:
    places = [tried_place(SECRET, key(n), SOURCE) for n in range(2_000)]

    assert len({place.bucket for place in places}) <= TRIED_BUCKETS_PER_GROUP


def test_many_networks_reach_all_buckets_of_those_that_were_reached() -> None:
    places = [tried_place(SECRET, key(n), group_of(host(n))) for n in range(2_000)]

    assert {place.bucket for place in places} == set(range(TRIED_BUCKETS))


def test_another_secret_gives_other_places() -> None:
    ours = [tried_place(SECRET, key(n), SOURCE) for n in range(20)]
    theirs = [tried_place(OTHER, key(n), SOURCE) for n in range(20)]

    assert ours != theirs


def test_a_place_holds_one_node_until_it_is_removed() -> None:
    table, place = Table(), Place(bucket=Bucket(3), position=4)
    table.put(key(1), place)

    assert table.at(place) == key(1)
    assert key(1) in table
    assert list(table) == [key(1)]
    table.remove(key(1))
    assert table.at(place) is None
    assert len(table) == 0


def test_others_in_the_bucket_stay_when_one_is_removed() -> None:
    table = Table()
    for position in range(2):
        table.put(key(position), Place(bucket=Bucket(3), position=position))
    table.remove(key(0))

    assert table.draw(first) == key(1)


def test_a_crowd_in_one_bucket_is_drawn_as_often_as_one_in_another() -> None:
    table = Table()
    for position in range(BUCKET_SIZE):
        table.put(key(position), Place(bucket=Bucket(1), position=position))
    table.put(key(99), Place(bucket=Bucket(2), position=0))
    random = Random(1)  # noqa: S311  # a test that can be repeated

    lonely = sum(table.draw(random.randrange) == key(99) for _ in range(1_000))
    assert 450 < lonely < 550
