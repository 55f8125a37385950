# Runs one command on a terminal of a given size. Nothing marks its end, which is that of the terminal.
#
# $1 cols, $2 rows; where the engine has set a size already, it may be a later one
# $3 form    shell: $4 is a command line; argv: $4... is a program and its arguments
case $(stty size 2>/dev/null) in
    '' | '0 0') stty cols "$1" rows "$2" 2>/dev/null ;;
esac
case $3 in
    shell) exec /bin/sh -c "$4" ;;
esac
shift 3
exec "$@"
