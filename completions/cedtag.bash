_cedtag_completion() {
    local kind value help prefix paths path program=${1/#\~/$HOME}
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            prefix) prefix=$value ;;
            plain) COMPREPLY+=("$value") ;;
            file | dir) paths=$kind path=$value ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} COMP_CUR=$2 _CEDTAG_COMPLETE=bash_complete "$program" 2>/dev/null)
    if [[ -n $paths && ${#COMPREPLY[@]} == 0 && -z $prefix ]]; then
        if [[ $paths == dir ]]; then compopt -o dirnames; else compopt -o default; fi
        return
    fi
    if [[ -n $paths ]]; then
        while IFS= read -r value; do
            COMPREPLY+=("$prefix$value")
        done < <(compgen -A "${paths/dir/directory}" -- "$path")
    fi
    # As names of files, they are quoted where they hold blanks, commas or apostrophes.
    if [[ -n $paths || "${COMPREPLY[*]}" == *[!A-Za-z0-9_./:=@\ -]* || "${COMPREPLY[0]}" == *\ * ]]; then
        compopt -o filenames
    fi
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}

complete -o nosort -F _cedtag_completion cedtag
