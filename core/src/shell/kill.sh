# Signals every process that has a mark in its environment, until none is left.
#
# $1 mark    POCKET_DOCK_EXEC=<id>
# $2 signal  name without SIG
# $3 rounds  how often to look, at most
# $4 empty   how many looks in a row may find nothing before it is over
#
# Prints "signalled <pid>" for each one found, then "left <pid>" for those that are still there, then "done".
__pd_find() {
    if command -v grep >/dev/null 2>&1; then
        grep -ls -- "$1" /proc/[0-9]*/environ 2>/dev/null
        return
    fi
    for __pd_file in /proc/[0-9]*/environ; do
        __pd_text=$(cat "$__pd_file" 2>/dev/null)
        case $__pd_text in
            *"$1"*) echo "$__pd_file" ;;
        esac
    done
}
__pd_round=0 __pd_empty=0 __pd_found=
while [ "$__pd_round" -lt "$3" ]; do
    __pd_round=$((__pd_round + 1))
    __pd_found=$(__pd_find "$1" 2>/dev/null)
    if [ -z "$__pd_found" ]; then
        __pd_empty=$((__pd_empty + 1))
        [ "$__pd_empty" -ge "$4" ] && break
        sleep 0.05 2>/dev/null || sleep 1
        continue
    fi
    __pd_empty=0
    for __pd_file in $__pd_found; do
        __pd_pid=${__pd_file#/proc/}
        __pd_pid=${__pd_pid%/environ}
        kill -s "$2" "$__pd_pid" 2>/dev/null && echo "signalled $__pd_pid"
    done
    [ "$__pd_round" -gt 3 ] && { sleep 0.02 2>/dev/null || sleep 1; }
done
for __pd_file in $__pd_found; do
    __pd_pid=${__pd_file#/proc/}
    echo "left ${__pd_pid%/environ}"
done
echo done
