# Lists the processes of all commands: those that have a mark in their environment, and what descends from them without
# one of its own.
#
# Prints "process ID PID NAME" for each; "hidden U:G" for each user of whom there are processes that we may not look at;
# then "command PID WORDS" for each; "done". The command lines come last: they cannot be had without forking.
__pd_want=- __pd_rows= __pd_marked=' ' __pd_hidden=' '
__pd_whose $$ && echo "uid $__pd_user"
for __pd_dir in /proc/[0-9]*; do
    __pd_row "${__pd_dir#/proc/}"
done
for __pd_row in $__pd_rows; do
    __pd_split "$__pd_row"
    if ! __pd_mark "$__pd_pid"; then
        if __pd_whose "$__pd_pid"; then
            case $__pd_hidden in
                *" $__pd_user "*) ;;
                *) __pd_hidden="$__pd_hidden$__pd_user " ;;
            esac
        fi
    fi
    [ -z "$__pd_id" ] || __pd_marked="$__pd_marked$__pd_pid=$__pd_id "
done
__pd_more=1
while [ -n "$__pd_more" ]; do
    __pd_more=
    for __pd_row in $__pd_rows; do
        __pd_split "$__pd_row"
        case $__pd_marked in
            *" $__pd_pid="*) ;;
            *" $__pd_parent="*)
                __pd_id=${__pd_marked#*" $__pd_parent="}
                __pd_marked="$__pd_marked$__pd_pid=${__pd_id%% *} "
                __pd_more=1 ;;
        esac
    done
done
for __pd_word in $__pd_marked; do
    __pd_pid=${__pd_word%%=*}
    __pd_stat "$__pd_pid" || continue
    # One line, whatever the name is: __pd_text holds the whole of "PID (NAME) STATE ...".
    __pd_name=${__pd_text#*\(}
    command printf '%s\n' "process ${__pd_word#*=} $__pd_pid ${__pd_name%)*}"
done
for __pd_user in $__pd_hidden; do
    echo "hidden $__pd_user"
done
for __pd_word in $__pd_marked; do
    __pd_pid=${__pd_word%%=*}
    command printf 'command %s ' "$__pd_pid"
    tr '\000\n\r' '   ' <"/proc/$__pd_pid/cmdline"
    echo
done
echo done
