/* SPDX-License-Identifier: ISC */
/* help: the texts; whoever asks for one command gets its options with what they mean. */
#include "admin/help.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: smtprelay [-C FILE] check | status | queue | show | retry | hold | release | remove\n"
    "       smtprelay [-C FILE] why [--json] ID|ADDRESS|--last [N] | log [-f] [-n N]\n"
    "       smtprelay explain [--json] [TEXT ...]\n"
    "       smtprelay [-C FILE] setup ADDRESS [--account NAME] [--provider NAME|--mailhub HOST]\n"
    "         [--tls MODE] [--ca-file FILE] [--user LOGIN] [--no-login]\n"
    "         [--password-file FILE|--password-command COMMAND] [--no-test] [--force]\n"
    "       smtprelay [-C FILE] import [FILE] [--from NAME] [--root DIR] [--write] [--force] [--spool]\n"
    "       smtprelay [-C FILE] test [--account NAME] [--json] [--daemon] [ADDRESS]\n"
    "       smtprelay --version | --help\n"
    "  check              validate the configuration and show each setting with where it came from\n"
    "  check ADDRESS ...  the way of mail to these addresses, step by step; --from ADDRESS, --user LOGIN\n"
    "  status             what waits and why, account by account, and what to do; --watch: again and again\n"
    "  test               walk to the smarthost step by step, and say what is wrong;\n"
    "                     with ADDRESS send a message\n"
    "  queue [WHICH]      what waits, a line a message\n"
    "  show WHICH         messages with their content\n"
    "  retry WHICH        try them now; --failed: put them back into the queue\n"
    "  hold WHICH         do not try them before they are released\n"
    "  release WHICH      let those go that are held, now\n"
    "  remove WHICH       remove them; nobody is told\n"
    "  why                what became of a message, attempt by attempt, with the smarthost's words\n"
    "  log                what happened last; with -f go on with what happens\n"
    "  explain            what a reply or an error means and what helps; without TEXT from standard input\n"
    "  setup              ask for the password, try it, and write a configuration for this address\n"
    "  import             take over the configuration of ssmtp, msmtp, nullmailer, dma, esmtp,\n"
    "                     Postfix or Exim\n"
    "WHICH: ids, --sender X, --recipient X, --account X, --unit X, --uid N, --older-than 2h,\n"
    "  --larger-than 1M, --reason X, --held, --all; --failed: of what could not be returned instead\n"
    "  --dry-run  only show what is meant     --json  an object a line     --yes  do not ask\n";

static const char which[] = "WHICH: ids, options, or both, which all have to fit:\n"
                            "  --sender TEXT, --recipient TEXT, --reason TEXT  the text is in it\n"
                            "  --account NAME, --unit NAME, --uid N            it goes by, came from\n"
                            "  --older-than 2h, --larger-than 1M, --held, --all\n";

static const struct {
    const char *command, *text;
} helps[] = {
    { "check", "check [--from ADDRESS] [--user LOGIN] [ADDRESS ...]\n"
               "Validate the configuration and show each setting with where it came from. With addresses: "
               "the way of mail to\n"
               "them, step by step, without sending any.\n"
               "  --from ADDRESS  mail from this address\n"
               "  --user LOGIN    mail of this user (for operators)\n" },
    { "status", "status [--json | --watch]\n"
                "The daemon, what waits and why, account by account, and what to do. Exit status 0: all is "
                "well, 1: deserves a\n"
                "look, 2: somebody has to act.\n"
                "  --watch  again every two seconds, until 'q'\n"
                "  --json   one object\n" },
    { "test", "test [--account NAME] [--json] [--daemon] [ADDRESS]\n"
              "Walk to the smarthost step by step, and say what is wrong and what to do; with ADDRESS send a "
              "message there.\n"
              "  --account NAME  by this one of accounts\n"
              "  --daemon        root, too, asks the daemon, which tests what it has read\n"
              "  --json          an object a line\n" },
    { "queue", "queue [WHICH] [--failed] [--json]\n"
               "What waits, a line a message, oldest first.\n"
               "  --failed  of what could not be returned instead\n"
               "  --json    an object a line\n" },
    { "show", "show WHICH [--failed] [--json]\n"
              "Messages: where they came from, the envelope, the attempts, and the content.\n"
              "  --failed  of what could not be returned instead\n"
              "  --json    an object a line, without the content\n" },
    { "retry", "retry WHICH [--failed] [--dry-run] [--json]\n"
               "Try messages now, except those that are held.\n"
               "  --failed   put what could not be returned back into the queue\n"
               "  --dry-run  only list what is meant\n" },
    { "hold", "hold WHICH [--dry-run] [--json]\n"
              "Do not try messages before they are released; they do not expire meanwhile.\n"
              "  --dry-run  only list what is meant\n" },
    { "release", "release WHICH [--dry-run] [--json]\n"
                 "Let messages go that are held, now.\n"
                 "  --dry-run  only list what is meant\n" },
    { "remove", "remove WHICH [--failed] [--dry-run] [--yes] [--json]\n"
                "Remove messages; nobody is told.\n"
                "  --failed   of what could not be returned instead\n"
                "  --dry-run  only list what is meant\n"
                "  --yes      do not ask\n" },
    { "why", "why [--json] ID|ADDRESS|--last [N]\n"
             "What became of a message, attempt by attempt, with the smarthost's words, also when it has "
             "long gone. With an\n"
             "address: of the last N (10) that came from or went to it.\n"
             "  --last  of the very last message, or the last N\n"
             "  --json  an object a line\n" },
    { "log", "log [-f] [-n N]\n"
             "What happened last, a line each.\n"
             "  -n N  the last N (20)\n"
             "  -f    go on with what happens\n" },
    { "explain", "explain [--json] [TEXT ...]\n"
                 "What a reply or an error means and what helps; without TEXT, or with '-', from standard "
                 "input. A line of a log\n"
                 "or a whole bounce may be pasted.\n" },
    { "setup",
        "setup ADDRESS [option ...]\n"
        "Ask for the password, try it, write a configuration with which mail goes as ADDRESS, and send a "
        "message there.\n"
        "  --provider NAME             the preset, where the address does not tell\n"
        "  --mailhub HOST[:PORT]       the smarthost\n"
        "  --tls MODE                  implicit, starttls, opportunistic or false; else by the port\n"
        "  --ca-file FILE              where its certificate is of a CA of your own\n"
        "  --user LOGIN                the login, where it is not ADDRESS\n"
        "  --password-file FILE        the password is its first line\n"
        "  --password-command COMMAND  it prints the password, each time\n"
        "  --no-login                  the smarthost wants none\n"
        "  --account NAME              make or change this one of accounts\n"
        "  --no-test                   try nothing and send nothing\n"
        "  --force                     change what is there without asking; it is kept as FILE.bak\n" },
    { "import", "import [FILE] [option ...]\n"
                "Show what becomes of the configuration of ssmtp, msmtp, nullmailer, dma, esmtp, Postfix or "
                "Exim, and what\n"
                "cannot be taken over.\n"
                "  --write      put it into place, the passwords into files of their own\n"
                "  --force      in place of what is there, which is kept as FILE.bak\n"
                "  --from NAME  whose it is, where there are several\n"
                "  --root DIR   read and write below it\n"
                "  --spool      with --write also hand over what waits at nullmailer or dma\n" },
};

void
help_print(const char *command)
{
    for (size_t i = 0; command && i < sizeof helps / sizeof helps[0]; i++)
        if (strcmp(command, helps[i].command) == 0) {
            printf("usage: smtprelay [-C FILE] %s%s", helps[i].text,
                strstr(helps[i].text, "WHICH") ? which : "");
            return;
        }
    fputs(usage, stdout);
}
