# Runs one command and says on both streams that it has ended, and how.
#
# $1 id      32 hex digits; the mark is "__PD_<id>_<code>__\n": one line, since bash writes each with a call of its own.
#            Not the id in the environment. A command that looks for it in /proc/$PPID/cmdline can tell an end of its own,
#            and so harm itself.
# $2 dir     working directory, or empty
# $3 form    shell: $4 is a command line; argv: $4... is a program and its arguments;
#            code: $4 bytes of standard input are code for the interpreter $5...
#
# Before it begins, it says "begin" in the same way: what comes earlier is the engine's.
#
# Behind the code stands "m" if the kernel killed anything in this container meanwhile, as its memory was used up, and "n" if
# it did not; nothing where that cannot be known.
#
# A code that is no number says why the command could not be started: nodir, nofile, noexec, nodd. Without a "begin", it is
# certain that nothing of it ran.
# Signals meant for the command's group must not end its supervisor; a trap, unlike ignoring, is not inherited.
trap : HUP INT QUIT USR1 USR2 PIPE ALRM TERM
__pd_id=$1 __pd_dir=$2 __pd_form=$3
shift 3
__pd_say() {
    command printf '__PD_%s_%s__\n' "$__pd_id" "$1" 2>/dev/null
    command printf '__PD_%s_%s__\n' "$__pd_id" "$1" >&2 2>/dev/null
}
# Whether $1 could be executed: __pd_why is nofile or noexec if not.
__pd_find() {
    __pd_why=
    case $1 in
        */*)
            if [ ! -e "$1" ]; then __pd_why=nofile; elif [ -d "$1" ] || [ ! -x "$1" ]; then __pd_why=noexec; fi
            return ;;
    esac
    __pd_why=nofile __pd_ifs=$IFS IFS=:
    for __pd_place in $PATH; do
        [ -d "${__pd_place:-.}/$1" ] && continue
        [ -x "${__pd_place:-.}/$1" ] && __pd_why= && break
        [ -e "${__pd_place:-.}/$1" ] && __pd_why=noexec
    done
    IFS=$__pd_ifs
}
# What cannot be started is known before it begins, but for programs that a shell has in itself.
__pd_look() {
    __pd_find "$1"
    case $1 in
        */*) return ;;
    esac
    [ -n "$__pd_why" ] && command -v "$1" >/dev/null 2>&1 && __pd_why=
}
# How often the kernel has done so, as __pd_kills. Builtins only: there may be no room for another process.
__pd_count() {
    __pd_kills=
    for __pd_file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
        [ -r "$__pd_file" ] || continue
        while read -r __pd_key __pd_value; do
            [ "$__pd_key" = oom_kill ] && __pd_kills=$__pd_value
        done <"$__pd_file"
        return
    done
}
__pd_why=
if [ -n "$__pd_dir" ] && ! cd -- "$__pd_dir" 2>/dev/null; then
    __pd_why=nodir
else
    case $__pd_form in
        argv) __pd_look "$1" ;;
        code)
            __pd_look "$2"
            # dd reads exactly so many bytes, and all of them before it writes the first: what follows is the program's.
            dd bs=1 count=0 iflag=fullblock </dev/null >/dev/null 2>&1 || __pd_why=nodd ;;
    esac
fi
__pd_count
__pd_before=$__pd_kills
[ -n "$__pd_why" ] || __pd_say begin
# What this shell says of a signal that ended the command, such as "Killed", is not the command's: it goes nowhere. It would
# say so where the command's errors go, were it not for the parentheses.
exec 6>&2 2>/dev/null
case ${__pd_why:-$__pd_form} in
    no*) __pd_code=$__pd_why ;;
    shell)
        (exec /bin/sh -c "$1") 2>&6 6>&-
        __pd_code=$? ;;
    argv)
        (exec "$@") 2>&6 6>&-
        __pd_code=$? ;;
    code)
        __pd_bytes=$1
        shift
        exec 4<&0
        dd bs="$__pd_bytes" count=1 iflag=fullblock <&4 2>/dev/null 6>&- | {
            exec 5<&0 <&4 4<&- 2>&6 6>&-
            exec "$@" /proc/self/fd/5
        }
        __pd_code=$?
        exec 4<&- ;;
esac
exec 2>&6 6>&-
case $__pd_form$__pd_code in
    argv12[67] | code12[67])
        __pd_find "$1"
        __pd_code=${__pd_why:-$__pd_code} ;;
esac
__pd_count
case $__pd_code:$__pd_before:$__pd_kills in
    no* | *: | *::*) __pd_mark= ;;
    *":$__pd_kills:$__pd_kills") __pd_mark=n ;;
    *) __pd_mark=m ;;
esac
__pd_say "$__pd_code$__pd_mark"
# Input that nobody takes would hold up Podman, and with it the output that waits there.
[ "/proc/$$/fd/0" -ef /dev/null ] || cat >/dev/null 2>&1
# A child in the background that still has our output would lose it, on Podman, with the end of its supervisor.
__pd_held() {
    for __pd_process in /proc/[0-9]*; do
        [ "$__pd_process" = "/proc/$$" ] && continue
        for __pd_file in "$__pd_process"/fd/*; do
            [ "$__pd_file" -ef "/proc/$$/fd/1" ] && return 0
            [ "$__pd_file" -ef "/proc/$$/fd/2" ] && return 0
        done
    done
    return 1
}
# One that is just being ended holds it for a moment only.
__pd_rest=0.1
while __pd_held; do
    sleep "$__pd_rest" 2>/dev/null || sleep 1 2>/dev/null || break
    __pd_rest=1
done
case $__pd_code in
    no*) exit 125 ;;
esac
exit "$__pd_code"
