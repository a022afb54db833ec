"""What others have made, measured in the same run: each peer as its documentation shows it at its best.

Peers have an environment of their own, `.venv-peers`, which `make bench` makes once; nothing of ticktree depends on it.
Each runs in a process of its own, on the same CPU as ours, and waits there while it is our turn: `process.py` is our
end, `programs/` is theirs. Both sides must come to the same counts and sums. A peer that cannot run here is named, with
the reason, in place of a figure. Theirs is the newest Python that has all of them, while ours may be an older one: the
figure's `peer` names it.
"""
