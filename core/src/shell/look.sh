# Tells a container's memory and its processes, but for this one.
#
# Prints "uid U:G"; "memory USAGE CACHE" in bytes, if that can be known; "process PID NAME" for each process, then "command
# PID WORDS" for each; "done". Up to the command lines, which cannot be had without forking, these are builtins only.
exec 2>/dev/null
echo "uid 0:0"
# With cgroup v2 and the host's cgroups in sight, ours are further down.
__pd_place=/sys/fs/cgroup
if [ ! -e "$__pd_place/memory.current" ]; then
    while IFS=: read -r __pd_number __pd_kinds __pd_path; do
        if [ "$__pd_number:$__pd_kinds" = 0: ] && [ -e "$__pd_place$__pd_path/memory.current" ]; then
            __pd_place=$__pd_place$__pd_path
            break
        fi
    done </proc/self/cgroup
fi
__pd_prefix= __pd_file=memory.current
if [ ! -e "$__pd_place/memory.current" ]; then
    __pd_place=/sys/fs/cgroup/memory __pd_prefix=total_ __pd_file=memory.usage_in_bytes
fi
__pd_cache=0 __pd_known=0
while read -r __pd_key __pd_value; do
    case $__pd_key in
        "${__pd_prefix}active_file" | "${__pd_prefix}inactive_file")
            __pd_cache=$((__pd_cache + __pd_value)) __pd_known=$((__pd_known + 1)) ;;
    esac
done <"$__pd_place/memory.stat"
__pd_usage=
read -r __pd_usage <"$__pd_place/$__pd_file"
[ "$__pd_known" = 2 ] && echo "memory $__pd_usage $__pd_cache"
__pd_pids=
for __pd_dir in /proc/[0-9]*; do
    __pd_pid=${__pd_dir#/proc/} __pd_name=
    [ "$__pd_pid" = $$ ] && continue
    # Some shells leave the variable as it was when there is nothing to read.
    read -r __pd_name <"$__pd_dir/comm"
    [ -n "$__pd_name" ] || continue
    __pd_pids="$__pd_pids $__pd_pid"
    command printf '%s\n' "process $__pd_pid $__pd_name"
done
for __pd_pid in $__pd_pids; do
    command printf 'command %s ' "$__pd_pid"
    tr '\000\n\r' '   ' <"/proc/$__pd_pid/cmdline"
    echo
done
echo done
