"""The config.toml of a new home: every key with its default, and what it is for."""

from typing import Final

DEFAULT_CONFIG_TEXT: Final = """\
# LearningChain node. Every key is optional; the commented ones show the defaults.
# Changes take effect when the node starts. Keys end in their unit.

# How this node and its peers find each other.
[network]
# The interface to listen on; "*" is all of them, "127.0.0.1" this machine only.
#: host = "*"
# The port to listen on; 0 lets the system choose.
#: port = 4040
# false: only dial out, as behind a NAT. Validators must listen.
#: listen = true
# true: tell machines on the same networks that this node is here, and connect to those of its graph.
#: multicast = true
# false: dial the peers listed below only, and tell nobody of other nodes.
#: discover = true
# Where others reach this node, if that is not at this machine's own addresses and port, as behind a NAT
# that forwards a port: ["192.0.2.7:4040"], ["node.example"]; at most four.
#: advertise = []
# The port for data connections, by which images and models travel faster than beside the rest; 0 lets the system
# choose. Where a firewall admits `port` alone they do travel beside the rest: give it a second one here.
#: data_port = 0
# What all peers together are sent of images and models, on the average; 0: as much as they ask for.
#: upload_bytes_per_second = 0

# Whether this node takes part in the agreement on blocks.
[consensus]
# true: with enough bonded, ask in every epoch to be a validator of the next one.
#: validate = true

# Which jobs this node takes, and what they may use of this machine.
# `lc-node policy`, a notebook replace this section while the node runs.
[work]
# false: follow, validate and serve notebooks, but train and evaluate nothing.
#: work = true
# Jobs that offer less are not taken.
#: bounty_min_credits = 1.0
# Jobs that expire sooner are not taken.
#: time_left_min_seconds = 10
# Jobs whose trials may take longer are not taken.
#: trial_seconds_max = 3600
# How many jobs are trained at the same time.
#: jobs_at_once = 1
# Jobs with a larger image are not taken.
#: image_bytes_max = 21_474_836_480
# Processor time for all jobs together, 1000 = one core; 0: all cores of this machine.
#: millicpus = 0
# Memory for all trainings together, and once more for evaluations; 0: three eighths of this machine's.
#: memory_bytes = 0
# Disk for the outputs of all running jobs together.
#: disk_bytes = 21_474_836_480
# GPUs for all jobs together.
#: gpus = 0
# Which, by what `nvidia-smi -L` calls them, or by index: ["GPU-...", "1"]; empty: any.
#: gpu_ids = []
# Addresses of the submitters whose jobs are taken, ["lc1..."]; empty: everybody's.
#: allow = []
# Addresses of submitters whose jobs are never taken.
#: deny = []
# Where trainings and evaluations run: "local", or on a Dask cluster: "dask://HOST:PORT" (docs/CLUSTERS.md).
#: executor = "local"
# When training begins, in this machine's time, such as ["22:00-07:30"]; empty: at any time.
#: hours = []
# true: begin no training and no trial while the machine runs on its battery.
#: pause_on_battery = false
# Nor while others use more than this share of all its processors; 100: whatever they use.
#: others_percent_max = 100

# What the node keeps on disk.
[storage]
# Images and models; the least recently used go first, those of running jobs never.
#: blobs_bytes_max = 50_000_000_000
# What these leave free on the disk: chain and votes stop the node where they find no room.
#: disk_reserve_bytes = 1_000_000_000
# true: fetch and execute every block since genesis, as `lc-node audit` needs it; then keep all of them.
# false: a node that is far behind begins with a snapshot of the state.
#: archive = false
# Blocks that are kept, the newest; 0: all that came here. At least 2000: they help others catch up.
#: blocks_kept = 0

# Registries, from which images come besides from other nodes (docs/IMAGES.md).
[images]
# From which images of others' jobs are fetched: "HOST", "HOST:PORT", or "http://HOST:PORT" in the clear.
# Those named here may be in this machine's own networks; nothing else there is ever asked.
#: registries = ["docker.io", "ghcr.io", "quay.io"]
# A file as `docker login` writes it; empty: Docker's own of the user who runs the node.
#: credentials = ""
# true: show them for others' jobs, too, not only for the owner's own pulls and pushes.
#: credentials_for_jobs = false

# What isolates strangers' code.
[sandbox]
# "auto": bubblewrap if it can bound memory hard, else docker if that works, else bubblewrap with soft limits;
# or "bubblewrap", or "docker". `lc-node doctor` says what each of them enforces here.
#: engine = "auto"
# Where docker's engine listens, such as "unix:///run/user/1000/docker.sock"; empty: where DOCKER_HOST says, or the usual place.
#: host = ""
# Which of the engine's runtimes, as in its daemon.json; empty: its default. Only with engine = "docker".
#: runtime = ""

# How a Dask cluster is used, if `executor` in [work] names one.
[dask]
# A folder on the workers where images stay over their restarts; empty: each worker's own, which goes with it.
#: cache = ""
# Images in each worker's folder; unpacked they take about twice as much beside them.
#: cache_bytes_max = 21_474_836_480
# The certificates of a cluster that encrypts; empty: as Dask's own configuration says.
#: tls_ca_file = ""
#: tls_cert = ""
#: tls_key = ""

# Where Prometheus may ask how the node fares: "127.0.0.1:9464"; empty: nowhere (docs/METRICS.md).
# Whoever can connect there can read everything.
[metrics]
#: listen = ""

# What the node says on stderr.
[log]
# "debug", "info", "warning" or "error"
#: level = "info"
# "text", or "json": an object a line, with fields such as job and peer
#: format = "text"

# Peers to dial, always, one such table each; `lc-node key show` prints these values on the other machine.
# [[network.peers]]
# address = "lc1..."
# transport_key = "64 hexadecimal digits"
# host = "192.0.2.7"
# port = 4040
"""

ALONE_CONFIG_TEXT: Final = (
    DEFAULT_CONFIG_TEXT.replace('#: host = "*"', 'host = "127.0.0.1"')
    .replace("#: port = 4040", "port = 0")
    .replace("#: multicast = true", "multicast = false")
)
"""The same for a node that other machines neither reach nor hear of."""
