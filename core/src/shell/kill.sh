# Signals every process of one command: whatever has its mark in the environment, what descends from such a process, and
# what shares a session or process group with one and has no other mark.
#
# $1 id        32 hex digits, behind POCKET_DOCK_EXEC= in the environment
# $2 signal    name without SIG; KILL goes on until nothing is left, any other is sent once to each process
# $3 patience  how long to look if nothing is found, in hundredths of a second; if it is a turn, how long its shell is told
#              so that does not come to its end
# $4 wait      how long the signalled may take to end
# $5 sent      PID:START of processes that an earlier look signalled and that live
# $6 known     PID:START of those that it found and could not signal
# $7 shell     if the command is one turn of a session, its shell: then the id is behind POCKET_DOCK_TURN=, and the shell is
#              nobody's, unless a program has taken its place
# $8 called    the name that the shell has for the time of the turn, sh:ID, and with it what it forks that never becomes a
#              program of its own. Behind the turn it is called sh.ID, and sh- while it forks for itself. Where it could
#              not take a name, those are its children without any id
#
# Prints, in this order: "uid U:G" of this script; "signalled PID:START" for each; "left PID:START" for those that are
# still there; "hidden U:G" for each user of whom there are processes that we may not look at or signal; "done".
# START, the kernel's time of birth, tells a process from a later one of the same number.
__pd_want=$1 __pd_signal=$2
__pd_all=' ' __pd_sent=' ' __pd_not=' ' __pd_said=' ' __pd_denied=' ' __pd_houses=' ' __pd_frozen=' '
for __pd_key in $5; do
    __pd_all="$__pd_all$__pd_key " __pd_sent="$__pd_sent$__pd_key "
done
for __pd_key in $6; do
    __pd_all="$__pd_all$__pd_key "
done
# Sessions and groups that others share: of the main process, of this script, and from outside of the container.
__pd_others=' 0 1 '
__pd_stat 1 && __pd_others="$__pd_others$__pd_session $__pd_group "
__pd_stat $$ && __pd_others="$__pd_others$__pd_session $__pd_group "
__pd_shell=$7
__pd_forks=
# If its shell waits and nothing is found, what it waits for has wiped its environment: so has, from then on, whatever child of
# the shell has no id and is no fork of the shell itself.
__pd_keys= __pd_lone= __pd_hope=
__pd_is_lone() {
    [ -n "$__pd_lone" ] && [ -z "$__pd_id" ] && [ "$__pd_parent" = "$__pd_shell" ] || return 1
    case $__pd_comm in
        sh[:.-]*) return 1 ;;
    esac
}
# What a turn has not done yet is not to be done: its shell is told so, before each look until it is behind the turn. One
# that has not begun, that is between two steps of its own, or that has caught it in a command of a command, goes on. Sets
# __pd_going if what comes next may still be the turn's.
__pd_tell() {
    __pd_going=
    case $__pd_shell,$__pd_signal in
        ,*) return 0 ;;
        *,KILL | *,INT | *,TERM | *,HUP | *,QUIT) ;;
        *) return 0 ;;
    esac
    __pd_stat "$__pd_shell" || return 0
    case $__pd_comm in
        "$__pd_called")
            __pd_going=1
            [ -n "$__pd_keys$__pd_lone" ] || [ "$__pd_time" -lt "$__pd_hope" ] || { __pd_lone=1 __pd_not=' '; }
            kill -s URG "$__pd_shell" ;;
        "sh.${__pd_called#sh:}") ;;
        sh[:.-]*) __pd_going=1 ;;
    esac
}
if [ -n "$__pd_shell" ]; then
    __pd_name=POCKET_DOCK_TURN
    __pd_called=$8
    if __pd_stat "$__pd_shell"; then
        __pd_others="$__pd_others$__pd_session $__pd_group "
        case $__pd_comm in
            sh[:.-]*) ;;
            *) __pd_forks=$__pd_shell ;;
        esac
    fi
fi
__pd_whose $$ && echo "uid $__pd_user"

# The time in hundredths of a second, as __pd_time; where it cannot be known, how often it was asked.
__pd_time=0
__pd_clock() {
    __pd_line=
    read -r __pd_line __pd_text </proc/uptime
    case $__pd_line in
        [0-9]*.[0-9][0-9]) __pd_line=${__pd_line%.*}${__pd_line#*.} ;;
        *) __pd_line=$((__pd_time + 1)) ;;
    esac
    while :; do
        case $__pd_line in
            0?*) __pd_line=${__pd_line#0} ;;
            *) break ;;
        esac
    done
    __pd_time=$__pd_line
}

# The process of the row at hand is the command's.
__pd_take() {
    __pd_ours="$__pd_ours$__pd_pid "
    __pd_keys="$__pd_keys $__pd_key"
    case $__pd_all in
        *" $__pd_key "*) ;;
        *) __pd_all="$__pd_all$__pd_key " ;;
    esac
    for __pd_house in "$__pd_session" "$__pd_group"; do
        case $__pd_others$__pd_houses in
            *" $__pd_house "*) ;;
            *) __pd_houses="$__pd_houses$__pd_house " ;;
        esac
    done
    # What is to be killed is stopped first, at once: so none can outrun this by forking, and parents live as long as
    # their children are looked for.
    [ "$__pd_signal" = KILL ] || return 0
    case $__pd_frozen in
        *" $__pd_key "*) ;;
        *)
            __pd_frozen="$__pd_frozen$__pd_key " __pd_fresh=1
            __pd_send STOP "$__pd_key" ;;
    esac
}

# Takes what descends from, or lives with, what was taken.
__pd_spread() {
    __pd_more=1
    while [ -n "$__pd_more" ]; do
        __pd_more=
        for __pd_row in $__pd_rows; do
            __pd_split "$__pd_row"
            case $__pd_ours in
                *" $__pd_pid "*) continue ;;
                *" $__pd_parent "*) ;;
                *)
                    case $__pd_houses in
                        *" $__pd_session "* | *" $__pd_group "*) ;;
                        *) continue ;;
                    esac
                    case $__pd_not in
                        *" $__pd_key:other "*) continue ;;
                    esac
                    __pd_mark "$__pd_pid"
                    case $__pd_id in
                        "" | "$__pd_want") ;;
                        *)
                            __pd_not="$__pd_not$__pd_key:other $__pd_key "
                            continue ;;
                    esac ;;
            esac
            __pd_take
            __pd_more=1
        done
    done
}

# Finds the command's processes: the numbers in __pd_ours, PID:START in __pd_keys.
__pd_look() {
    __pd_ours=' ' __pd_keys= __pd_rows= __pd_unseen= __pd_hidden=' '
    for __pd_dir in /proc/[0-9]*; do
        __pd_pid=${__pd_dir#/proc/}
        __pd_row "$__pd_pid" || continue
        __pd_key=$__pd_pid:$__pd_start
        case $__pd_ours in
            *" $__pd_parent "*)
                __pd_take
                continue ;;
        esac
        case $__pd_all in
            *" $__pd_key "*)
                __pd_take
                continue ;;
        esac
        case $__pd_not in
            *" $__pd_key "*) continue ;;
        esac
        if ! __pd_mark "$__pd_pid"; then
            __pd_unseen="$__pd_unseen $__pd_pid"
        elif [ "$__pd_id" = "$__pd_want" ]; then
            __pd_take
        elif [ "$__pd_pid" = "$__pd_shell" ]; then
            :
        elif [ -z "$__pd_id" ] && [ -n "$__pd_named" -o "$__pd_parent" = "$__pd_forks" ]; then
            __pd_take
        elif __pd_is_lone; then
            __pd_take
        elif [ -n "$__pd_blank" ]; then
            # Whose it is shows in a moment.
            __pd_going=1
        elif [ "$__pd_all" != ' ' ]; then
            # Not before anything was found: what is to be the command may be the engine's still.
            __pd_not="$__pd_not$__pd_key ${__pd_id:+$__pd_key:other }"
        fi
    done
    __pd_spread
    for __pd_pid in $__pd_unseen; do
        case $__pd_ours in
            *" $__pd_pid "*) ;;
            *) __pd_hide "$__pd_pid" ;;
        esac
    done
}

__pd_hide() {
    __pd_whose "$1" || return 0
    case $__pd_hidden in
        *" $__pd_user "*) ;;
        *) __pd_hidden="$__pd_hidden$__pd_user " ;;
    esac
}

# __pd_send SIGNAL PID:START
__pd_send() {
    __pd_pid=${2%:*}
    __pd_stat "$__pd_pid" && [ "$__pd_start" = "${2#*:}" ] || return 0
    kill -s "$1" "$__pd_pid" && return 0
    __pd_stat "$__pd_pid" && [ "$__pd_start" = "${2#*:}" ] || return 0
    case $__pd_denied in
        *" $2 "*) ;;
        *) __pd_denied="$__pd_denied$2 " ;;
    esac
    return 1
}

__pd_say() {
    case $__pd_said in
        *" $1 "*) ;;
        *)
            __pd_said="$__pd_said$1 "
            echo "signalled $1" ;;
    esac
}

# Whether one of these, each PID:START, lives that we may signal.
__pd_lives() {
    for __pd_key; do
        case $__pd_denied in
            *" $__pd_key "*) continue ;;
        esac
        __pd_stat "${__pd_key%:*}" && [ "$__pd_start" = "${__pd_key#*:}" ] && return 0
    done
    return 1
}

# Waits until all of them are gone, so long at most.
__pd_settle() {
    __pd_clock
    __pd_limit=$((__pd_time + $1))
    while __pd_lives $__pd_all; do
        __pd_clock
        [ "$__pd_time" -lt "$__pd_limit" ] || return 0
    done
}

__pd_clock
__pd_end=$((__pd_time + 500))
__pd_patient=$((__pd_time + $3))
__pd_hope=$((__pd_time + 100))
while __pd_tell; __pd_look; [ -z "$__pd_keys" ] && [ "$__pd_time" -lt "$__pd_patient" ]; do
    [ -z "$__pd_shell" ] || [ -n "$__pd_going" ] || break
    __pd_clock
done
case $__pd_signal in
    KILL)
        while [ -n "$__pd_keys$__pd_going" ]; do
            __pd_fresh=1
            while [ -n "$__pd_fresh" ] && [ "$__pd_time" -lt "$__pd_end" ]; do
                __pd_fresh=
                __pd_look
                __pd_clock
            done
            for __pd_key in $__pd_keys; do
                __pd_send KILL "$__pd_key" && __pd_say "$__pd_key"
            done
            __pd_settle 30
            # Nothing can follow what is found once the shell is behind the turn.
            __pd_tell
            __pd_look
            [ -n "$__pd_going" ] && [ "$__pd_time" -lt "$__pd_patient" ] && continue
            __pd_lives $__pd_keys || break
            [ "$__pd_time" -lt "$__pd_end" ] || break
        done ;;
    *)
        __pd_more=1
        while [ -n "$__pd_more" ] && [ "$__pd_time" -lt "$__pd_end" ]; do
            __pd_more=
            for __pd_key in $__pd_keys; do
                case $__pd_sent$__pd_denied in
                    *" $__pd_key "*) continue ;;
                esac
                __pd_more=1
                if __pd_send "$__pd_signal" "$__pd_key"; then
                    __pd_sent="$__pd_sent$__pd_key "
                    __pd_say "$__pd_key"
                fi
            done
            [ -n "$__pd_more" ] && __pd_look
            __pd_clock
        done
        __pd_settle "$4"
        __pd_tell
        __pd_look ;;
esac
for __pd_key in $__pd_all; do
    __pd_stat "${__pd_key%:*}" && [ "$__pd_start" = "${__pd_key#*:}" ] || continue
    echo "left $__pd_key"
    case $__pd_denied in
        *" $__pd_key "*) __pd_hide "${__pd_key%:*}" ;;
    esac
done
for __pd_user in $__pd_hidden; do
    echo "hidden $__pd_user"
done
echo done
