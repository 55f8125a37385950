# Keeps Podman's service for the program that started it, and ends it when that program ends, however that happens: the
# other end of standard input is held by nobody else. Arguments: the service's directory, and the service's command.
dir=$1
shift
exec 3<&0 </dev/null
"$@" 3<&- &
service=$!
{
    read -r _ <&3
    if [ -d "$dir" ] && ! [ -e "$dir/ended" ]; then
        kill -TERM "$service"
        tries=0
        while [ -d "$dir" ] && ! [ -e "$dir/ended" ] && [ "$tries" -lt 50 ]; do
            sleep 0.1 || sleep 1
            tries=$((tries + 1))
        done
        if [ "$tries" -ge 50 ]; then
            rm -rf "$dir"
            kill -KILL 0 # this process group: the service, what it started and did not let go, and this script
        fi
    fi
    rm -rf "$dir"
} 2>/dev/null &
exec 3<&-
wait "$service"
code=$?
{ : >"$dir/ended"; } 2>/dev/null
exit "$code"
