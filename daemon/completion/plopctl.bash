# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Completion of plopctl for bash. Commands, options and what an option takes are read from "plopctl --help" and "plopctl COMMAND
# --help", so they are those of the plopctl that is installed; processes are those that plopd knows and the caller may see.

# Here and below: program is plopctl as it was typed, asking its options that say where plopd is.
_plopctl_ask() {
	LC_ALL=C ARGP_HELP_FMT='' "${program/#\~/$HOME}" "${asking[@]}" "$@" 2>/dev/null </dev/null
}

# The words up to the cursor into words, the last one being completed: bash splits them at "=" and ":", too.
_plopctl_split() {
	local rest=$COMP_LINE before word i extra
	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		before=$rest
		rest=${rest#"${rest%%[![:space:]]*}"}
		if ((i > 0)) && [ "$rest" = "$before" ]; then
			words[${#words[@]} - 1]+=$word
		else
			words+=("$word")
		fi
		rest=${rest#"$word"}
	done
	extra=$((${#COMP_LINE} - ${#rest} - COMP_POINT))
	word=${words[${#words[@]} - 1]}
	((extra <= 0 || extra > ${#word})) || words[${#words[@]} - 1]=${word:0:${#word}-extra}
}

# Lines "-x --long META" of all options in a help text; "-" where there is none.
_plopctl_options() {
	sed -nE 's/^ +(-[^ ,-]), --([a-z-]+)(=([A-Z=]+))?( .*)?$/\1 --\2 \4 -/p; s/^ +--([a-z-]+)(=([A-Z=]+))?( .*)?$/- --\1 \3 -/p'
}

# Lines "KEY VALUE" of the processes that plopd knows, the keys given as an extended regular expression.
_plopctl_processes() {
	_plopctl_ask ps --json | sed -nE '/\\/d; s/^    "('"$1"')": "?(.*[^,"])"?,?$/\1 \2/p'
}

# Takes the values that begin with what was typed, each behind a prefix that was typed already.
_plopctl_offer() {
	local prefix=$1 value
	shift
	for value; do
		[[ $prefix$value != "$cur"* ]] || COMPREPLY+=("$prefix$value")
	done
}

# PIDs; in a list for the eye with the name of each.
_plopctl_pids() {
	local prefix=$1 line value pid='' comm='' i
	local pids=() comms=()
	# a name may end with a space
	while IFS= read -r line; do
		value=${line#* }
		case ${line%% *} in
		pid) pid=$value comm='' ;;
		comm) comm=$value ;;
		status)
			[[ $value != profiled || $prefix$pid != "$cur"* ]] || { pids+=("$pid") && comms+=("$comm"); }
			;;
		esac
	done < <(_plopctl_processes 'pid|comm|status')
	if [ "${#pids[@]}" -gt 1 ] && [[ ${COMP_TYPE:-9} = 63 || ${COMP_TYPE:-9} = 33 || ${COMP_TYPE:-9} = 64 ]]; then
		verbatim=yes
		for i in "${!pids[@]}"; do
			COMPREPLY+=("$prefix${pids[i]} (${comms[i]})")
		done
	else
		_plopctl_offer "$prefix" "${pids[@]}"
	fi
}

# What the processes have as their KEY, each once; of a path also all that it lies below.
_plopctl_values() {
	local prefix=$1 key=$2 line value
	local values=()
	while IFS= read -r line; do
		value=${line#* }
		values+=("$value")
		while [ "$key" = cgroup ] && [[ $value = /*/* ]]; do
			value=${value%/*}
			values+=("$value")
		done
	done < <(_plopctl_processes "$key")
	[ "${#values[@]}" = 0 ] || mapfile -t values < <(printf '%s\n' "${values[@]}" | LC_ALL=C sort -u)
	_plopctl_offer "$prefix" "${values[@]}"
}

# Names of the tokens that there are.
_plopctl_tokens() {
	local values
	mapfile -t values < <(_plopctl_ask token list --json | sed -nE 's/^ +"name": "(.*)",$/\1/p')
	_plopctl_offer "$1" "${values[@]}"
}

# Names of the recordings that plopd keeps, each once; and its ids.
_plopctl_recordings() {
	local prefix=$1 values
	mapfile -t values < <(_plopctl_ask recordings --json | sed -nE '/\\/d; s/^    "(id|name)": "(.*)",?$/\2/p' | LC_ALL=C sort -u)
	_plopctl_offer "$prefix" "${values[@]}"
}

# The keys of selectors, as the help has them.
_plopctl_keys() {
	tr '\n' ' ' <<<"$help" | sed -nE 's/.*KEY is one of //; s/\. .*//; s/,//gp'
}

_plopctl_selectors() {
	local prefix=$1 rest=${cur#"$1"} keys
	if [[ $rest = pid=* ]]; then
		_plopctl_pids "${prefix}pid="
	elif [[ $rest = *=* ]]; then
		[[ ! ${rest%%=*} =~ ^[a-z_]+$ ]] || _plopctl_values "$prefix${rest%%=*}=" "${rest%%=*}"
	else
		read -ra keys < <(_plopctl_keys)
		keys=("${keys[@]/%/=}")
		_plopctl_offer "$prefix" "${keys[@]/%.NAME=/.}"
		compopt -o nospace 2>/dev/null
	fi
}

# What an option or an argument takes that the help calls META.
_plopctl_argument() {
	local prefix=$1 files formats keys before
	case $2 in
	PID) _plopctl_pids "$prefix" ;;
	UNIT) _plopctl_values "$prefix" unit ;;
	CGROUP) _plopctl_values "$prefix" cgroup ;;
	SELECTOR) _plopctl_selectors "$prefix" ;;
	RECORDING) _plopctl_recordings "$prefix" ;;
	TOKEN) _plopctl_tokens "$prefix" ;;
	SERVICE) _plopctl_values "$prefix" service ;;
	SCOPE) _plopctl_offer "$prefix" read record ;;
	KEYS)
		# behind those that are there already, each with its comma
		before=${cur#"$prefix"}
		read -ra keys < <(_plopctl_keys)
		_plopctl_offer "$prefix${before%"${before##*,}"}" "${keys[@]/%.NAME/.}"
		;;
	TIME) _plopctl_offer "$prefix" 10s 30s 1m 5m 10m 1h ;;
	FORMAT)
		# "pprof (default), collapsed, ... or json" over some lines, up to the next option
		read -ra formats < <(sed -nE '/--format=FORMAT/,/^ +-[^ ]/p' <<<"$help" |
			sed -E '1s/.*FORMAT//; 2,$s/^ +-.*//; s/\([a-z]*\)|,| or( |$)/ /g' | tr '\n' ' ')
		_plopctl_offer "$prefix" "${formats[@]}"
		;;
	FILE | PATH)
		mapfile -t files < <(compgen -f -- "${cur#"$prefix"}")
		_plopctl_offer "$prefix" "${files[@]}"
		names=yes
		compopt -o filenames 2>/dev/null
		;;
	esac
}

# A program that plopctl is to start, behind "--": its name, then files.
_plopctl_program() {
	local found
	if [ "$1" = 0 ]; then
		mapfile -t found < <(compgen -c -- "$cur" | LC_ALL=C sort -u)
	fi
	[[ $1 = 0 && $cur != */* ]] || mapfile -t found < <(compgen -f -- "$cur")
	_plopctl_offer '' "${found[@]}"
	names=yes
	compopt -o filenames 2>/dev/null
}

_plopctl() {
	local program=$1 cur previous='' command='' help wanted='' short long meta i at=0 verbatim='' names='' broken
	local words=() asking=() candidates=()
	COMPREPLY=()
	_plopctl_split
	cur=${words[${#words[@]} - 1]}
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		previous=${words[i]}
		case $previous in
		-S | -C | --socket | --config)
			# its argument may be what is being completed
			if ((i + 2 < ${#words[@]})); then
				asking+=("$previous" "${words[i + 1]/#\~/$HOME}")
				previous=''
				((i++))
			fi
			;;
		-S* | -C* | --socket=* | --config=*) asking+=("$previous") ;;
		--)
			[ "$command" != record ] || _plopctl_program $((${#words[@]} - i - 2))
			return 0
			;;
		-*) ;;
		*) [ -n "$command" ] || { command=$previous at=$i; } ;;
		esac
	done
	help=$(_plopctl_ask ${command:+"$command"} --help)
	while read -r short long meta _; do
		[ "$meta" != - ] || meta=''
		candidates+=("$long${meta:+=}")
		[ "$short" = - ] || candidates+=("$short")
		[ -n "$meta" ] || continue
		if [ "$previous" = "$long" ] || [ "$previous" = "$short" ]; then
			wanted=yes
			_plopctl_argument '' "$meta"
		elif [[ $cur = "$long="* ]]; then
			wanted=yes
			_plopctl_argument "$long=" "$meta"
		elif [[ $short != - && $cur = "$short"?* ]]; then
			wanted=yes
			_plopctl_argument "$short" "$meta"
		fi
	done < <(_plopctl_options <<<"$help")
	if [ -z "$wanted" ] && [[ $cur = -* ]]; then
		_plopctl_offer '' "${candidates[@]}"
		[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
	elif [ -z "$wanted$command" ]; then
		mapfile -t candidates < <(sed -nE '/^Commands/,/^$/s/^  ([a-z]+) .*/\1/p' <<<"$help")
		_plopctl_offer '' "${candidates[@]}"
	elif [ "$command" = token ] && [ -z "$wanted" ]; then
		if ((${#words[@]} - 1 == at + 1)); then
			_plopctl_offer '' create list revoke
		elif [ "${words[at + 1]}" = revoke ]; then
			_plopctl_argument '' TOKEN
		fi
	elif [ "$command" = recordings ] && [ -z "$wanted" ]; then
		if ((${#words[@]} - 1 == at + 1)); then
			_plopctl_offer '' show export rm name= label.
			[[ ${COMPREPLY[*]} != *[=.] ]] || compopt -o nospace 2>/dev/null
		elif [[ ${words[at + 1]} = export && ${#words[@]} -gt $((at + 3)) ]]; then
			_plopctl_argument '' SELECTOR
		else
			_plopctl_argument '' RECORDING
		fi
	elif [ -z "$wanted" ]; then
		meta=$(sed -nE '1s/.*\[OPTION\.\.\.\] \[?([A-Z]+).*/\1/p' <<<"$help")
		_plopctl_argument '' "$meta"
	fi
	[ -z "$verbatim" ] || return 0
	# readline puts what is here behind the last "=" or ":" of the word
	broken=${cur%"${cur##*["${COMP_WORDBREAKS//[!=:]/}"]}"}
	[[ $COMP_WORDBREAKS = *[=:]* ]] || broken=''
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$broken"}
		# file names it quotes itself
		[ -z "$names" ] || continue
		printf -v "COMPREPLY[i]" '%q' "${COMPREPLY[i]}"
		# alone it needs no backslash
		COMPREPLY[i]=${COMPREPLY[i]//\\,/,}
	done
}

complete -F _plopctl plopctl
