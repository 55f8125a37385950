# Starts one engine in a root tree of its own. Runs as process 1 of fresh mount, network and pid namespaces.
# The tree needs "mount" and "ip"; everything up to the chroot runs with the programs of the host.
# In the environment: TREE (root tree), SHARED (becomes /run/shared, the socket is there), DATA and DATA_AT (the
# engine's storage and where the engine expects it). The arguments are the engine's command.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
# crun refuses machines that mount both generations of control groups.
if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified 2>/dev/null || true; fi

# "/" must be a mount point (an engine remounts it while it unpacks an image), hence pivot_root and not chroot.
mount --bind "$TREE" "$TREE"
mount -t proc proc "$TREE/proc"
mount --rbind /sys "$TREE/sys"
mount --rbind /dev "$TREE/dev"
# Podman keeps its locks in /dev/shm: engines that share it would free each other's.
mount -t tmpfs -o mode=1777,size=256m tmpfs "$TREE/dev/shm"
# Whatever lives in /run is gone with the namespace, so no start finds the remains of the one before.
mount -t tmpfs -o mode=755 tmpfs "$TREE/run"
mount -t tmpfs -o mode=1777 tmpfs "$TREE/tmp"
mkdir -p "$TREE/run/shared" "$TREE/run/lock" "$TREE/.old" "$TREE$DATA_AT"
mount --bind "$SHARED" "$TREE/run/shared"
mount --bind "$DATA" "$TREE$DATA_AT"

cd "$TREE"
pivot_root . .old
exec chroot . /bin/sh -euc '
    umount -l /.old
    ip link set lo up
    # For each command that a client has run, Podman leaves a conmon for five minutes, which then runs a whole podman to
    # find that there is nothing to do: thousands of them take a third of the machine. Its work is done once it has no
    # child any more. One that has none twice in a row is not about to start one.
    tidy() {
        idle=
        while sleep 10; do
            before=$idle idle=" "
            for process in /proc/[0-9]*; do
                read -r name <"$process/comm" 2>/dev/null || continue
                [ "$name" = conmon ] || continue
                pid=${process#/proc/} child=
                read -r child <"$process/task/$pid/children" 2>/dev/null || :
                [ -z "$child" ] || continue
                idle="$idle$pid "
                case $before in
                    *" $pid "*) ! grep -q -e --exit-delay "$process/cmdline" 2>/dev/null || kill -KILL "$pid" || : ;;
                esac
            done
        done
    }
    [ "$1" != podman ] || tidy &
    "$@" &
    engine=$!
    trap "kill -TERM $engine" TERM INT
    # This shell is process 1: it adopts and reaps what the engine leaves behind. When it ends, everything ends.
    code=0
    while kill -0 "$engine" 2>/dev/null; do code=0; wait "$engine" || code=$?; done
    exit "$code"
' launch "$@"
