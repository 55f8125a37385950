# The first lines of the shell of a session. BORDER stands for the id of the borders that say the shell's process id and
# its kind.
#
# Copies of both streams are kept on 8 and 9, for the borders.
exec 8>&1 9>&2
# By this name one sees that it can be given names, and that no command has begun.
command printf sh- 2>/dev/null >|/proc/self/comm
# A command is told to end by SIGURG to the shell, which ignores it otherwise: what the command has not done yet is not
# done. Ash and dash go back to where the command was begun by an error that is made for that. Bash goes on behind such an
# error, but it leaves its loops and skips what a DEBUG trap refuses; what stood there before is put back behind it. The
# name is given up while bash forks for that, so that the fork is not taken for the command's. Bash also sends itself a
# SIGINT when one has ended a command substitution.
case ${BASH_VERSION:+bash} in
    bash)
        __pd_kind=bash
        __pd_stop='case $?${POCKET_DOCK_TURN:+,} in
            *,)
                __pd_code=${__pd_code:-$?}
                set +e
                case ${__pd_again+x} in
                    "")
                        printf sh- >|/proc/self/comm
                        __pd_again=$(shopt -p extdebug; trap -p DEBUG)
                        printf sh:%s ${POCKET_DOCK_TURN:0:12} >|/proc/self/comm ;;
                esac
                shopt -s extdebug
                trap "case \$POCKET_DOCK_TURN in \"\") ;; *) break 999; ! : ;; esac >/dev/null 2>&1" DEBUG
                break 999 ;;
        esac >/dev/null 2>&1'
        trap '\command eval "$__pd_stop"' URG INT ;;
    *)
        __pd_kind=sh
        __pd_stop='case $?${POCKET_DOCK_TURN:+,} in
            *,)
                __pd_code=${__pd_code:-$?}
                set +e
                : "${__pd_never?}" ;;
        esac >/dev/null 2>&1'
        trap '\eval "$__pd_stop"' URG ;;
esac
command printf '__PD_BORDER_%d__\n' "$$" >&8
command printf '__PD_BORDER_%s__\n' "$__pd_kind" >&9
