"""changes - what profiles showed, what was changed for it, and what that did: before and after,
mostly of interleaved pairs of the two programs on one machine. Figures of the whole are the page's
own."""

# what was measured, where the time went, what was changed, after : before (or both)
CHANGES = (
    ("native, 64 a message", "the table thread wrote 600,000 tasks a second that were gone "
     "20 ms later; broker and clients worked by turns",
     "turns of about a thousand items; the table waits longer while nobody lists",
     "rate 1.46 ×, CPU of the server 2.04 → 1.73 µs a task"),
    ("native, 64 a message", "a fifth of the broker's thread zeroed and freed memory of tasks; the "
     "bench read the clock for each task",
     "tasks in blocks that are reused; fields by masks; the clock once a frame",
     "rate 1.62 ×, CPU of the server 2.11 → 1.37 µs a task, of the clients 0.78 → 0.53"),
    ("native, 256 a message", "each group and each slab of what is pending was mapped and "
     "unmapped anew: page faults", "a pool keeps the memory of large groups, slabs are smaller "
     "than what malloc maps", "on a quiet machine CPU a task 0.88 to 0.92 ×, rate 1.07 to 1.15 ×"),
    ("one task at a time, unloaded", "two wake-ups between the broker's thread and the store's",
     "a small group is written by the broker's own thread when little happens on a quick disk",
     "acknowledged 0.92 to 0.95 ×, settled 0.91 to 0.93 × the time, to the worker the same"),
    ("kept 7 days, one task a message", "40 files in the first level: RocksDB slows writing down "
     "to a fifth, and the table falls back",
     "less is admitted the more of them there are, nothing while the oldest of many has waited "
     "0.8 s, or more waits than is written in 400 ms", "behind at most 6.12 → 0.68 s in 5 minutes"),
    ("kept 7 days, one task a message", "half of the table thread in RocksDB's search for the "
     "place of a key in its skip list", "RocksDB goes on from the last key of the same kind",
     "rate 1.29 ×, CPU of the server a task 0.75 ×; HTTP creates 1.05 × and 0.93 ×"),
    ("HTTP creates, 64 connections", "callers spent a third of their wait behind batches of the "
     "table thread, beside an idle core", "the thread lets others pass between the steps of a "
     "batch", "rate 1.05 ×, p90 1.94 → 1.60 ms"),
    ("HTTP creates, 64 connections", "two epoll_ctl and an empty recvfrom a request, from "
     "suspending and resuming it", "a connection is watched by one set",
     "CPU of the server a create 0.87 ×"),
    ("the same, with what follows", "options printed and read again, memory freed and taken anew, "
     "names of headers and tokens looked up for each request",
     "they are numbers, are reused, and are found by their place",
     "CPU of the http threads a create 20.3 → 16.0 µs"),
    ("a file of 100 MiB", "54 % of the samples in libsodium's SHA-256",
     "libnettle, which has the processor's instructions", "up and down 1.75 ×"),
    ("lists of 300,000 tasks at rest", "half of the time in RocksDB, merging and copying blocks "
     "that had not changed", "blocks stay in memory until they change",
     "two words 32 → 13 ms, a number 28 → 6, type before a time 4.8 → 1.0"),
    ("lists with filters, 20,000 tasks a second beside them", "every brief of the brand was looked "
     "at, those of other kinds, too", "what a block comes to lies beside it: blocks of which "
     "nothing is wanted are passed over, and counts take them whole",
     "p99 of 160 answers: a rare mix 22 → 8.4 ms, by type 15 → 7.9"),
    ("the same, with a date", "a scan of the table was opened for each of twenty probes",
     "one scan, and no probe below the size of a block", "p50 3.8 → 2.7 ms"),
    ("one task a message, 10,000 queues", "six cache lines of a lane for its counters alone, all "
     "four priorities of it looked at for each group", "counters lie beside what they count, and "
     "what was not used is not looked at", "rate 1.04 ×, CPU of the server a task 0.94 ×"),
    ("a search for two common words, at rest", "40 % in stepping from word to word",
     "the search goes from hit to hit", "13 → 10 ms"),
)
