"""aims - what is measured, and the figures that are to be reached.

MEASURES are single measurements; each has a key, the command that makes it and what an
acknowledgement in it guarantees. AIMS compare a field of one with a field of another, or with a
number; where an aim names several measures, the best of them counts, on either side.
"""
from dataclasses import dataclass

DURABLE = "acknowledged after fdatasync"
MEMORY = "memory only"
REDIS_ALWAYS = "appendfsync always: acknowledged after its fsync; stream, group, XACK, XDEL"
REDIS_NONE = "memory only; list, BLMOVE, LREM"


# arguments of the peers' load programs: they end by their time, not by a count
END = "mode=e2e n=100000000 ahead=20000"
ENQUEUE = "mode=enq prod=32 n=100000000"
ONE = "mode=lat n=1000000"


@dataclass(frozen=True)
class Measure:
    key: str
    who: str         # relais, Redis, …, machine
    words: str
    command: str     # of `relais bench`, of the peer's load program, or of raw
    guarantee: str = ""
    server: str = "" # which server of peers.py; relais and machine have none
    timed: bool = False  # takes --seconds
    once: bool = False   # in the first round only
    full: bool = False   # only with --full
    pinned: bool = False # clients, workers and server all on the first processor


@dataclass(frozen=True)
class Aim:
    row: str
    work: str
    ours: tuple
    field: str
    reach: float
    unit: str = "×"    # × is a ratio to theirs; anything else is absolute
    most: bool = False # the figure is to be at most so much, not at least
    theirs: tuple = ()
    their_field: str = ""
    full: bool = False
    floor: tuple = ("raw-fsync-4k", "p50_us")  # what stands beside a figure without a peer


def relais(key, words, command, keep="failed", **more):
    guarantee = more.pop("guarantee", DURABLE) + (f"; keep={keep}" if keep else "")
    scenario = command.split()[0]
    timed = scenario in ("native", "enqueue", "http", "latency", "files", "overload")
    return Measure(key, "relais", words, command, guarantee, timed=timed and
                   "--seconds" not in command, **more)


def redis(key, words, server, command, **more):
    guarantee = REDIS_ALWAYS if server == "redis-always" else REDIS_NONE
    return Measure(key, "Redis", words, command, guarantee, server, **more)


def settings(prefix, words, server, store, tried):
    """The same work at several settings: depth, window, producers, workers."""
    return [redis(f"{prefix}-{depth}-{window}-{producers}-{workers}",
                  f"{words}, depth {depth}, window {window}, {producers}+{workers} connections",
                  server, f"store={store} depth={depth} win={window} prod={producers} "
                          f"work={workers} {END}")
            for depth, window, producers, workers in tried]


REDIS_STREAM = settings("redis-stream", "end to end", "redis-always", "stream",
                        [(100, 100, 4, 4), (1000, 1000, 4, 4), (1000, 1000, 2, 2),
                         (1000, 1000, 1, 1), (4000, 4000, 2, 2), (4000, 1000, 1, 2)])
REDIS_LIST = settings("redis-list", "end to end in memory", "redis-none", "list",
                      [(100, 100, 1, 4), (100, 100, 4, 4), (1000, 100, 2, 2),
                       (1000, 1000, 1, 1), (1000, 100, 1, 2)])
# of each of these groups the best two of a short look take part in the rounds
TRIED = [[m.key for m in REDIS_STREAM], [m.key for m in REDIS_LIST]]
STREAM, LIST = (tuple(keys) for keys in TRIED)

RAW = [Measure(f"raw-{name}", "machine", words, command)
       for name, words, command in [
           ("ping", "TCP ping-pong, 100 B", "ping 100 20000"),
           ("fsync-4k", "append + fdatasync, 4 KiB", "fsync fs.tmp 4096 800"),
           ("fsync-128", "append + fdatasync, 128 B", "fsync fs.tmp 128 800")]]

MEASURES = RAW + [
    relais("native", "end to end, one task a message, 1000 in flight", "native --depth 1000"),
    *REDIS_STREAM,
    relais("batch-64", "end to end, batches of 64", "native --batch 64 --depth 8192"),
    relais("batch-256", "end to end, batches of 256", "native --batch 256 --depth 32768"),
    relais("curve-64", "CURVE, batches of 64", "native --batch 64 --depth 8192 --curve"),
    relais("accepted", "in memory, one task a message", "native --depth 1000 --accepted",
           guarantee=MEMORY),
    relais("accepted-64", "in memory, batches of 64",
           "native --batch 64 --depth 8192 --accepted", guarantee=MEMORY),
    relais("accepted-256", "in memory, batches of 256",
           "native --batch 256 --depth 32768 --accepted", guarantee=MEMORY),
    *REDIS_LIST,
    relais("enqueue", "32 producers, one at a time", "enqueue --producers 32"),
    relais("http-32", "the same over HTTP", "http --connections 32", keep="7d"),
    redis("redis-enqueue", "32 producers, one at a time, a thread each", "redis-always",
          f"store=stream {ENQUEUE}"),
    redis("redis-enqueue-one", "32 producers, one at a time, on one thread (redis-benchmark)",
          "redis-always", "redis-benchmark -c 32 XADD"),
    relais("http-64", "creates with JSON, token, routing, 64 connections",
           "http --connections 64", keep="7d"),
    Measure("hello", "libmicrohttpd", "hello world: 201 to a POST, 64 connections",
            "http --connections 64", "nothing is kept", "hello", timed=True),
    relais("latency", "one task at a time, unloaded, not pinned", "latency"),
    redis("redis-latency", "one task at a time, unloaded, not pinned", "redis-always",
          f"store=stream {ONE}"),
    relais("latency-one", "one task at a time, unloaded, all on one processor", "latency",
           pinned=True),
    redis("redis-latency-one", "one task at a time, unloaded, all on one processor",
          "redis-always", f"store=stream {ONE}", pinned=True),
    relais("backlog-200k", "with 200,000 queued", "native --depth 1000 --backlog 200k"),
    relais("backlog-1m", "with 1M queued", "native --depth 1000 --backlog 1M"),
    relais("backlog-10m", "with 10M queued", "native --depth 1000 --backlog 10M", full=True,
           once=True),
    relais("queues-10k", "10,000 queues", "native --depth 1000 --queues 10000"),
    relais("batch-8", "4 workers, batches of 8", "native --batch 8 --depth 8192"),
    relais("workers-2k", "2,000 workers, batches of 8",
           "native --batch 8 --depth 8192 --workers 2000"),
    relais("files", "a file of 100 MiB up and down, tasks one at a time meanwhile",
           "files --size 100M", keep=""),
    Measure("dd", "machine", "dd of 100 MiB with fsync, and back", "dd 100", "fsync"),
    relais("fill-1m", "1M queued", "fill --count 1M", once=True),
    relais("fill-10m", "10M queued", "fill --count 10M", once=True, full=True),
    relais("restart-1m", "kill -9 with 1M queued, 10,000 running",
           "restart --count 1M --running 10k"),
    relais("restart-10m", "kill -9 with 10M queued, 10,000 running",
           "restart --count 10M --running 10k", once=True, full=True),
    relais("idle", "1,000 native workers that wait", "idle --workers 1000", keep=""),
    Measure("bare", "machine", "a ROUTER with 1,000 idle DEALERs", "bare 1000", once=True),
    Measure("suspended", "libmicrohttpd", "2,000 suspended connections, a pool of 8 KiB each",
            "suspended 2000", "", "hello", once=True),
    relais("pending", "2,000 HTTP workers that wait", "pending --workers 2000", keep="",
           once=True),
    relais("overload", "three times the load it can take", "overload --seconds 6", keep="7d",
           once=True),
    relais("overload-failed", "the same, forgotten once it is done",
           "overload --keep failed --seconds 6", once=True),
    relais("sustained", "kept 7 days, indexed, searchable; 5 minutes",
           "native --depth 1000 --keep 7d --seconds 5m", keep="7d", once=True),
]


def peer(key, who, words, server, command, guarantee):
    return Measure(key, who, words, command, guarantee, server)


# the other peers, for the table of peers; run in every round, a server once for all of its lines
PEERS = [
    redis("redis-list-one", "end to end in memory, one at a time, 4 workers", "redis-none",
          f"store=list depth=100 win=1 work=4 {END}"),
    *[peer(f"beanstalkd-{key}", "beanstalkd", words, "beanstalkd-f0", command, "-f0: fsync each")
      for key, words, command in [
          ("e2e", "end to end, window 100", f"{END} depth=100 win=100 work=4"),
          ("enqueue", "32 producers, one at a time", ENQUEUE),
          ("latency", "one task at a time, unloaded", ONE)]],
    *[peer(f"beanstalkd-memory-{win}", "beanstalkd", f"end to end in memory, window {win}",
           "beanstalkd", f"{END} depth=100 win={win} work=4", MEMORY) for win in (1, 16, 100)],
    *[peer(f"rabbitmq-{store}-{key}", "RabbitMQ", f"{words}, {queue} queue", "rabbitmq",
           f"store={store} {command}", guarantee)
      for store, queue, guarantee in [
          ("durable", "classic", "publisher confirm after fsync; acks unsynced"),
          ("quorum", "quorum", "publisher confirm after fsync")]
      for key, words, command in [
          ("e2e", "end to end, depth 1000, window 1000",
           f"{END} depth=1000 win=1000 prod=4 work=4"),
          ("enqueue", "32 producers, one at a time", ENQUEUE),
          ("latency", "one task at a time, unloaded", ONE)]],
    peer("rabbitmq-transient-e2e", "RabbitMQ", "end to end in memory, window 100", "rabbitmq",
         f"store=transient {END} depth=100 win=100 work=4", MEMORY),
    *[peer(f"nats-{store}-{key}", "NATS JetStream", words, "nats",
           f"store={store} {command}", guarantee)
      for store, guarantee in [("memory", MEMORY), ("file", "file, synced every 2 minutes")]
      for key, words, command in [
          ("e2e", f"end to end ({store}), window 100", f"{END} depth=100 win=100 work=4"),
          ("latency", f"one task at a time ({store}), unloaded", ONE)]],
    *[peer(f"gearmand-{key}", "gearmand", words, server, command, guarantee)
      for key, words, server, command, guarantee in [
          ("e2e", "end to end in memory", "gearmand", f"{END} depth=100 work=4", MEMORY),
          ("sqlite-e2e", "end to end, sqlite", "gearmand-sqlite", f"{END} depth=100 work=4",
           "sqlite as it is set up by default"),
          ("sqlite-latency", "one task at a time, unloaded, sqlite", "gearmand-sqlite", ONE,
           "sqlite as it is set up by default")]],
]
# memory with 1M queued, ready after kill -9 (where it keeps anything), memory of idle workers
STOCKS = [
    ("redis-none", "Redis", "list", "store=list", False),
    ("redis-always", "Redis", "stream, appendfsync always", "store=stream", True),
    ("beanstalkd-f1m", "beanstalkd", "written, not synced", "", True),
    ("nats", "NATS JetStream", "file, synced every 2 minutes", "store=file", True),
    ("rabbitmq", "RabbitMQ", "classic queue, durable", "store=durable", True),
    ("gearmand", "gearmand", "memory", "", False),
]

BATCH, ACCEPTED = ("batch-64", "batch-256"), ("accepted-64", "accepted-256")
ENQUEUES = ("redis-enqueue", "redis-enqueue-one")
AIMS = [
    Aim("1", "durable end to end, one task a message, 1000 in flight", ("native",), "rate", 2.3,
        theirs=STREAM, their_field="rate"),
    Aim("2", "durable end to end, batches", BATCH, "rate", 4, theirs=STREAM, their_field="rate"),
    Aim("2", "durable end to end, batches: on to 1M", BATCH, "rate", 1e6, "jobs/s"),
    Aim("1b", "as 1, 7 days kept, indexed, searchable, 5 minutes", ("sustained",), "rate", 40e3,
        "tasks/s"),
    Aim("1b", "the same: the table is behind by", ("sustained",), "behind_max_s", 2, "s",
        most=True),
    Aim("3", "in memory end to end, one task a message", ("accepted",), "rate", 2, theirs=LIST,
        their_field="rate"),
    Aim("3", "in memory end to end, batches", ACCEPTED, "rate", 7, theirs=LIST,
        their_field="rate"),
    Aim("4", "durable enqueue, 32 producers one at a time, native", ("enqueue",), "rate", 1.5,
        theirs=ENQUEUES, their_field="rate"),
    Aim("4", "durable enqueue, 32 producers one at a time, HTTP", ("http-32",), "rate", 0.7,
        theirs=ENQUEUES, their_field="rate"),
    Aim("5", "durable HTTP creates, 64 connections", ("http-64",), "rate", 40e3, "creates/s"),
    Aim("5", "the same against libmicrohttpd's hello world", ("http-64",), "rate", 0.25,
        theirs=("hello",), their_field="rate"),
    *[Aim("6", f"unloaded, {place}, p50: submit → {words}", (f"latency{name}",), f"{key}_p50_us",
          reach, most=True, theirs=(f"redis-latency{name}",), their_field=f"{key}_p50_us")
      for name, place in [("", "not pinned"), ("-one", "all on one processor")]
      for key, words, reach in [("ack", "durable ack", 1.0), ("worker", "worker has it", 0.4),
                                ("settled", "settled durable", 1.0)]],
    Aim("7", "memory with 1M queued durable tasks", ("fill-1m",), "rss_mb", 60, "MB", most=True),
    Aim("7", "memory with 10M queued durable tasks", ("fill-10m",), "rss_mb", 80, "MB", most=True,
        full=True),
    Aim("8", "ready after kill -9, 1M queued, 10,000 running", ("restart-1m",), "ready_ms", 300,
        "ms", most=True),
    Aim("8", "ready after kill -9, 10M queued, 10,000 running", ("restart-10m",), "ready_ms",
        1000, "ms", most=True, full=True),
    Aim("9", "throughput with 1M queued against 200k", ("backlog-1m",), "rate", 0.8,
        theirs=("backlog-200k",), their_field="rate"),
    Aim("9", "throughput with 10M queued against 200k", ("backlog-10m",), "rate", 0.8,
        theirs=("backlog-200k",), their_field="rate", full=True),
    Aim("9", "10,000 queues against 1", ("queues-10k",), "rate", 0.8, theirs=("native",),
        their_field="rate"),
    Aim("9", "2,000 workers in batches of 8 against 4", ("workers-2k",), "rate", 0.4,
        theirs=("batch-8",), their_field="rate"),
    Aim("10", "CURVE on, batches of 64, against without", ("curve-64",), "rate", 0.4,
        theirs=("batch-64",), their_field="rate"),
    Aim("11", "a native worker that waits", ("idle",), "idle_kb", 34, "KB", most=True,
        floor=("bare", "idle_kb")),
    Aim("11", "a native worker after traffic", ("idle",), "after_traffic_kb", 110, "KB",
        most=True, floor=("bare", "after_traffic_kb")),
    Aim("11", "an HTTP worker that waits", ("pending",), "waiting_kb", 12, "KB", most=True,
        floor=("suspended", "waiting_kb")),
    Aim("12", "a file of 100 MiB up and down, against dd", ("files",), "mb_s", 0.5,
        theirs=("dd",), their_field="mb_s"),
    Aim("12", "p99 of one task at a time meanwhile, against before", ("files",),
        "meanwhile_p99_us", 2, most=True, theirs=("files",), their_field="before_p99_us"),
    # not in the table of figures: what is promised under overload
    *[aim for key, words in [("overload", "kept"), ("overload-failed", "forgotten once done")]
      for aim in [
          Aim("13", f"3 times the load it can take, {words}: p99 of the acknowledgement "
              "against 0.7 of that load", (key,), "ack_p99_us", 3, most=True, theirs=(key,),
              their_field="calm_ack_p99_us"),
          Aim("13", f"the same, {words}: p99 until a worker has it", (key,), "worker_p99_us", 3,
              most=True, theirs=(key,), their_field="calm_worker_p99_us"),
          Aim("13", f"the same, {words}: most memory", (key,), "rss_peak_mb", 512, "MB",
              most=True)]],
]

# name of the plot: (axis, option of `native`, always, with --full, other options)
CURVES = {
    "backlog": ("tasks that wait in another queue", "--backlog",
                (200_000, 500_000, 1_000_000, 2_000_000), (5_000_000, 10_000_000),
                "--depth 1000"),
    "queues": ("queues", "--queues", (1, 10, 100, 1000, 10_000), (3, 30, 300, 3000),
               "--depth 1000"),
    "workers": ("workers", "--workers", (1, 4, 16, 128, 500, 2000), (2, 8, 64, 250, 1000),
                "--batch 8 --depth 8192"),
    "payload": ("bytes of a payload", "--size", (100, 1024, 4096, 16384, 65536),
                (256, 2048, 8192, 32768), "--depth 100"),
}
