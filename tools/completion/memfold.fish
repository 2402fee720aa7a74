# fish completion for memfold: commands, options and their values, as 'memfold COMMAND --complete' prints them.

# The command on the line; the status is 1 if there is none yet.
function __memfold_command
    set -l words (commandline -opc)
    string match -v -- '-*' $words[2..]
end

function __memfold_commands
    set -l words (commandline -opc)
    $words[1] --help 2>/dev/null | string match -rg '^  ([a-z]+ +\[?LAYOUT.*)' |
        string replace -r '^([a-z]+) +\[?LAYOUT\]?( SCRIPT)? +' '$1\t'
end

# A candidate and what it is, a line each; values once there is a '='.
function __memfold_options
    set -l word (commandline -ct)
    set -l words (commandline -opc)
    set -l command (__memfold_command)
    $words[1] $command[1] --complete 2>/dev/null | while read -l line
        set -l parts (string split \t -- $line)
        set -l option $parts[1]
        if test "$parts[2]" = none
            printf '%s\t%s\n' $option $parts[4]
        else if not string match -q -- "$option=*" $word
            printf '%s=\t%s\n' $option $parts[4]
        else if string match -q '*|*' -- $parts[3] # what stands for choices is one word
            set -l done "$option="
            test "$parts[2]" = list; and set done (string match -r -- '^.*[=,]' $word)
            for choice in (string split '|' -- $parts[3])
                printf '%s%s\n' $done $choice
            end
        else
            set -l typed (string replace -- "$option=" '' $word)
            for file in (__fish_complete_path $typed)
                printf '%s=%s\n' $option $file
            end
        end
    end
end

complete -c memfold -n 'not __memfold_command' -f -a '(__memfold_commands)'
complete -c memfold -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__memfold_options)'
