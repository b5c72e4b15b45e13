function _cedtag_completion
    set -l words (commandline -opc)
    set -lx COMP_WORDS (string join \n -- $words | string collect)
    set -lx COMP_CUR (commandline -ct | string collect --allow-empty)
    set -lx _CEDTAG_COMPLETE fish_complete
    set -l program $words[1]
    set -l prefix ""
    for line in ($program 2>/dev/null)
        set -l parts (string split \t -- $line)
        switch $parts[1]
            case prefix
                set prefix $parts[2]
            case plain
                printf '%s\t%s\n' $parts[2] $parts[3]
            case file
                for path in (__fish_complete_path $parts[2])
                    echo $prefix$path
                end
            case dir
                for path in (__fish_complete_directories $parts[2])
                    echo $prefix$path
                end
        end
    end
end

complete --no-files --keep-order --command cedtag --arguments "(_cedtag_completion)"
