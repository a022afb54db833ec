"""A journal in memory is used as one in a file."""

from ticktree.routing.facts import AnyFact
from ticktree.routing.journal import Journal, Nowhere

from .some import story


def test_it_keeps_what_is_appended_and_nothing_to_wait_for() -> None:
    journal = Nowhere()
    assert journal.open(id).is_new
    for fact in story(2):
        journal.append(fact)
    journal.close()
    assert journal.facts == story(2)
    assert (journal.records, journal.size_bytes, journal.committed(), journal.failed) == (9, 0, None, None)


def test_another_life_in_the_same_process_finds_it() -> None:
    journal, found = Nowhere(), list[AnyFact]()
    journal.open(id)
    for fact in story(1):
        journal.append(fact)
    recovery = journal.open(found.append)
    assert (found, recovery.records, recovery.is_new) == (story(1), 5, False)


def test_it_keeps_nothing_where_nothing_is_to_be_kept() -> None:
    journal = Nowhere(keeps=False)
    for fact in story(2):
        journal.append(fact)
    assert (journal.facts, journal.records) == ([], 9)


def test_it_offers_all_that_a_journal_offers() -> None:
    inner = {"broke", "tell", "failure", "forked", "durability"}
    offered = {name for name in (*dir(Journal), "path", "failed", "records", "size_bytes") if not name.startswith("_")}
    assert offered - inner <= set(dir(Nowhere()))
