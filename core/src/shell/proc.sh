# What the scripts share that look through /proc. Builtins only, and no subshell: a container at its process limit could
# not fork. Nothing is ever asked of the main process or of the script itself.
exec 2>/dev/null
__pd_ifs=$IFS
# The variable that tells whose a process is.
__pd_name=POCKET_DOCK_EXEC

# __pd_stat PID: how it is. Fails if it is gone, or a zombie of which no thread lives on.
# Its name may hold spaces, parentheses and newlines; behind the last parenthesis there are only numbers.
__pd_stat() {
    __pd_text=
    # A read that fails, as of a process that is gone by now, leaves the variable as it was in some shells.
    while __pd_line=; IFS= read -r __pd_line || [ -n "$__pd_line" ]; do
        __pd_text=$__pd_text$__pd_line
    done <"/proc/$1/stat"
    __pd_comm=${__pd_text#*\(}
    __pd_comm=${__pd_comm%\)*}
    set -- ${__pd_text##*)}
    [ $# -ge 20 ] || return 1
    case $1 in
        X | x) return 1 ;;
        Z) [ "${18}" -gt 1 ] || return 1 ;;
    esac
    __pd_state=$1 __pd_parent=$2 __pd_group=$3 __pd_session=$4 __pd_start=${20} __pd_size=${21} __pd_place=${48}
}

# __pd_mark PID: the id in its environment, or nothing, as __pd_id; $__pd_want counts before any other.
# Fails if we may not see. "read" leaves out the NUL between two variables. Sets __pd_blank if it is becoming a program: then
# it has memory, but no place for an environment yet.
__pd_mark() {
    __pd_id= __pd_open= __pd_blank=
    [ "$__pd_place" = 0 ] && [ "$__pd_size" != 0 ] && __pd_blank=1
    # With its first thread gone, the others have the environment.
    case $__pd_state in
        Z) set -- "/proc/$1"/task/*/environ ;;
        *) set -- "/proc/$1/environ" ;;
    esac
    for __pd_file; do
        while __pd_open=1 __pd_line=; IFS= read -r __pd_line || [ -n "$__pd_line" ]; do
            __pd_blank=
            case $__pd_line in
                *"$__pd_name=$__pd_want"*)
                    __pd_id=$__pd_want
                    return 0 ;;
                *"$__pd_name="*)
                    __pd_line=${__pd_line#*"$__pd_name="}
                    __pd_text=${__pd_line#????????????????????????????????}
                    __pd_id=${__pd_line%"$__pd_text"}
                    case $__pd_id in
                        *[!0-9a-f]*) __pd_id= ;;
                    esac ;;
            esac
        done <"$__pd_file"
    done
    [ -n "$__pd_open" ]
}

# __pd_whose PID: its user and group as numbers, as __pd_user.
__pd_whose() {
    __pd_user= __pd_owner=
    while __pd_word=; read -r __pd_word __pd_line; do
        case $__pd_word in
            Uid:)
                set -- $__pd_line
                __pd_owner=$2 ;;
            Gid:)
                set -- $__pd_line
                __pd_user=$__pd_owner:$2
                return 0 ;;
        esac
    done <"/proc/$1/status"
    return 1
}

# __pd_row PID: how it is, also as PID:START:PARENT:GROUP:SESSION:STATE in __pd_rows; and, as __pd_named, whether it has the
# name of __pd_called. Fails for the main process, and for this one.
__pd_called=
__pd_row() {
    case $1 in
        1 | $$ | *[!0-9]*) return 1 ;;
    esac
    __pd_stat "$1" || return 1
    __pd_named=
    [ -n "$__pd_called" ] && [ "$__pd_comm" = "$__pd_called" ] && __pd_named=1
    __pd_rows="$__pd_rows $1:$__pd_start:$__pd_parent:$__pd_group:$__pd_session:$__pd_state"
}

__pd_split() {
    IFS=:
    set -- $1
    IFS=$__pd_ifs
    __pd_pid=$1 __pd_key=$1:$2 __pd_parent=$3 __pd_group=$4 __pd_session=$5 __pd_state=$6
}
