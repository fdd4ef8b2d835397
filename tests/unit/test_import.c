/* SPDX-License-Identifier: ISC */
/* import: other programs' configurations are read as they read them, and nothing is dropped in silence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "admin/import_text.h"
#include "base/mem.h"
#include "unit/suite.h"

/* A text of `program`, with another file; what becomes of it is in `out`, secrets behind it, each on a line "GROUP:SECRET" */
static bool
convert(const char *program, const char *text, const char *path, const char *other, struct buf *out)
{
    const struct import_program *p = import_find_program(slice_of(program));
    struct import im;
    struct config c;
    struct error err;
    bool ok;

    ck_assert_ptr_nonnull(p);
    import_begin(&im);
    im.program = p->name;
    im.home = "/home/joe";
    (void)import_add_source(&im, "/x/main", slice_of(text));
    if (path)
        (void)import_add_source(&im, path, slice_of(other));
    error_init(&err);
    ok = p->parse(&im, &err);
    import_text_write(&im, "/etc/smtprelay.conf", out);
    if (ok && import_text_check(buf_slice(out), "/etc/smtprelay.conf", &c, &err))
        config_end(&c);
    else if (ok)
        ck_abort_msg("%s\n%s", err.text, buf_str(out));
    for (size_t g = 0; g < im.groups; g++)
        if (import_get(&im, g, CONFIG_AUTH_PASS))
            buf_add_format(out, "%zu:%s\n", g, import_get(&im, g, CONFIG_AUTH_PASS));
    import_end(&im);
    return ok;
}

static void
expect(const char *program, const char *text, const char *path, const char *other, const char *wanted)
{
    struct buf out;
    const char *all;

    buf_init(&out, 1 << 20);
    ck_assert(convert(program, text, path, other, &out));
    all = buf_str(&out);
    if (*wanted == '!')
        ck_assert_msg(!strstr(all, wanted + 1), "'%s' is in\n%s", wanted + 1, all);
    else
        ck_assert_msg(strstr(all, wanted), "no '%s' in\n%s", wanted, all);
    buf_clear(&out);
}

/* Each line of the text is named in what comes out, by its number or by its key */
static void
expect_each_line(const char *program, const char *text)
{
    struct slice rest = slice_of(text), line;
    struct buf out;

    buf_init(&out, 1 << 20);
    ck_assert_msg(convert(program, text, NULL, NULL, &out), "%s", text);
    for (unsigned n = 1; slice_cut(&rest, '\n', &line); n++) {
        char *number = mem_format("main line %u", n);
        char *key = slice_dup(slice_sub(line, 0, strcspn(line.p, " =\n")));
        const char *at = strstr(buf_str(&out), number);
        while (at && ascii_is_digit(at[strlen(number)]))
            at = strstr(at + 1, number);
        ck_assert_msg(line.len == 0 || at || strstr(buf_str(&out), key), "%s: nothing of '%.*s' in\n%s",
            program, SLICE_ARG(line), buf_str(&out));
        free(key);
        free(number);
    }
    buf_clear(&out);
}

static const struct {
    const char *program, *text;
} whole[] = {
    { "ssmtp", "Mailhub=h:587\nRemotePort=25\nAuthPass=x\nTLSKey=/"
               "k\nUseOldAUTH=yes\nHostname=web1\nAuthMethod=LOGIN\n"
               "Nothing=1\nno pair\nMinUserId=500\nFromLineOverride=YES\nTLSCert=/c\n" },
    { "msmtp",
        "host h\npassword x\npasswordeval cat x\nuser u\ntls_key_file /k\nauto_from on\n"
        "add_missing_from_header on\nadd_missing_date_header on\nproxy_port 1080\ndsn_notify never\nnothing "
        "1\n" },
    { "msmtp", "host h\naccount b\nfrom b@x\nport 25\n" },
    { "msmtp", "host h\nauth cram-md5\nuser u\npassword x\npasswordeval cat x\n" },
    { "dma",
        "PORT 25\nAUTHPATH /a\nSECURETRANSFER\nSTARTTLS\nOPPORTUNISTIC_TLS\nINSECURE\nSECURE\nNULLCLIENT\n" },
    { "dma", "SMARTHOST h\nSECURETRANSFER\nOPPORTUNISTIC_TLS\nDEFER\nFULLBOUNCE\nNothing 1\n" },
    { "esmtp", "hostname = h:25\npassword = x\nmda = \"x\"\nforce sender = a@x\nmessage_id = "
               "enabled\nnothing = 1\n" },
    { "esmtp", "starttls = enabled\nusername = u\nidentity = a@x default\nhostname = h\n" },
    { "nullmailer", "h smtp --port=none --pass=x --x509keyfile=/k --what\n" },
    { "postfix",
        "relayhost = [h]:587\nmynetworks = 127.0.0.0/8\nbiff = no\nsmtpd_banner = x\nmydestination = x\n"
        "smtp_tls_key_file = /k\nsmtp_tls_wrappermode = yes\ndelay_warning_time = 4h\nmasquerade_domains = a "
        "b\n"
        "maximal_queue_lifetime = 3\nnothing = 1\nno parameter\nsmtp_tls_loglevel = 1\n" },
    { "exim",
        "dc_smarthost='h'\ndc_relay_nets='10.0.0.0/"
        "8'\nCFILEMODE='644'\n"
        "dc_minimaldns='false'\ndc_readhost='x'\ndc_use_split_config='false'\ndc_mailname_in_oh='true'\n"
        "dc_localdelivery='mail_spool'\ndc_nothing='1'\nno pair\n" },
    { "exim", "dc_eximconfig_configtype='internet'\ndc_smarthost='h'\ndc_hide_mailname='true'\ndc_postmaster="
              "'root'\n" },
};

START_TEST(each_line_is_carried_or_named)
{
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        expect_each_line(whole[i].program, whole[i].text);
}
END_TEST

static const struct row {
    const char *program, *text, *wanted;
} rows[] = {
    /* ssmtp: blanks, case, comments, what ends a value */
    { "ssmtp", "MailHub = mail.example.org:2525", "mailhub = \"mail.example.org:2525\";" },
    { "ssmtp", "mailhub=mail.example.org\nRemotePort=26\n", "mailhub = \"mail.example.org:26\";" },
    { "ssmtp", "mailhub=mail.example.org:465\nRemotePort=26\n", "mailhub = \"mail.example.org:26\";" },
    { "ssmtp", "RemotePort=26\nmailhub=mail.example.org:465\n", "mailhub = \"mail.example.org:465\";" },
    { "ssmtp", "RemotePort=26\nmailhub=mail.example.org:465\n",
        "line 1: RemotePort: the port of Mailhub comes" },
    { "ssmtp", "mailhub=m\nhostname=_HOSTNAME_\n", "!hostname =" },
    { "ssmtp", "mailhub=mail.example.org # the hub\n", "mailhub = \"mail.example.org:25\";" },
    { "ssmtp", "root=x@y.org\n", "mailhub = \"mailhub:25\";  # ssmtp's default" },
    { "ssmtp", "mailhub=m\nAuthUser=u\nAuthPass=a#b=c\n", "0:a#b=c\n" },
    { "ssmtp", "mailhub=m\nAuthUser=u\nAuthPass=a #b\n", "0:a\n" },
    { "ssmtp", "mailhub=m\r\nAuthUser=u\r\nAuthPass=abc\r\n", "0:abc\n" },
    { "ssmtp", "mailhub=m\nAuthUser=u\n", "the password: it is not there" },
    { "ssmtp", "mailhub=m\nAuthUser=u\nAuthPass=p\n", "AllowPlaintextAuth = true;" },
    { "ssmtp", "mailhub=m\nUseTLS=YES\nUseSTARTTLS=YES\n", "UseTLS = true;" },
    { "ssmtp", "mailhub=m:465\nUseTLS=YES\n", "UseTLS = true;" },
    { "ssmtp", "mailhub=m:587\nUseTLS=YES\n", "UseTLS = \"implicit\";" },
    { "ssmtp", "mailhub=m:465\nUseSTARTTLS=YES\n", "UseTLS = \"starttls\";" },
    { "ssmtp", "mailhub=m\nUseSTARTTLS=YES\nUseTLS=NO\n", "UseTLS = false;" },
    { "ssmtp", "mailhub=m\nrewriteDomain=joe@example.org\n", "rewriteDomain = \"example.org\";" },
    { "ssmtp", "mailhub=m\nroot=postmaster\n", "Root: it has no domain" },
    { "ssmtp", "mailhub=m\nroot=postmaster\nrewriteDomain=example.org\n",
        "root = \"postmaster@example.org\";" },
    { "ssmtp", "mailhub=m\nroot=\n", "root = \"\";" },
    { "ssmtp", "mailhub=m\nhostname=joe@gmail.com\n", "hostname: \"joe@gmail.com\" will not do" },
    { "ssmtp", "mailhub=m\nNonsense=1\n", "line 2: Nonsense: not a key that is known here" },
    { "ssmtp", "mailhub=m\nAddHeader=X-A: b c\nAddHeader=X-D: e\n",
        "AddHeader = ( \"X-A: b c\", \"X-D: e\" );" },
    { "ssmtp", "\xEF\xBB\xBFmailhub=m\n", "mailhub = \"m:25\";" },
    { "ssmtp", "mailhub=m\nAddHeader=\nAddHeader=\n", "AddHeader: \"\" will not do" },
    /* msmtp: structure, quotes, booleans without a value, inheritance */
    { "msmtp", "host mail.example.org\n", "mailhub = \"mail.example.org:25\";" },
    { "msmtp", "account a\nhost h\ntls\n", "UseTLS = true;" },
    { "msmtp", "account a\nhost h\ntls on\ntls_starttls off\n", "mailhub = \"h:465\";" },
    { "msmtp", "account a\nhost h\ntls off\n", "UseTLS = false;" },
    { "msmtp", "account a\nhost h\nauth on\nuser u\npassword \"a b\"\ntls on\n", "0:a b\n" },
    { "msmtp", "account a\nhost h\nauth on\nuser u\npassword #x\ntls on\n", "0:#x\n" },
    { "msmtp", "account a\nhost h\nauth off\nuser u\npassword p\n", "!AuthUser" },
    { "msmtp", "account a\nhost h1\naccount b\nhost h2\nfrom b@x.org\naccount default : b\n",
        "mailhub = \"h2:25\";" },
    { "msmtp",
        "account a\nhost h1\nfrom a@x.org\naccount b : a\nhost h2\nfrom b@x.org\naccount default : a\n",
        "        mailhub = \"h2:25\";" },
    { "msmtp", "account a\nhost h\naccount b\nhost i\nfrom %U@x.org\naccount default : a\n",
        "sender = \"@x.org\";" },
    { "msmtp", "account a\nhost h\naccount b\nhost i\nfrom %U@%H\naccount default : a\n", "!sender =" },
    { "msmtp", "account a\nhost h\naccount b\nhost i\n",
        "no account is the default; the first one, a, is now" },
    { "msmtp", "account a\nhost h\nfrom %U@example.org\n", "rewriteDomain = \"example.org\";" },
    { "msmtp", "account a\nhost h\ntls on\ntls_fingerprint 00:11\n", "only SHA-256" },
    { "msmtp", "account a\nhost h\ntls on\ntls_trust_file /etc/ssl/certs/ca-certificates.crt\n",
        "!TLS_CA_File" },
    { "msmtp", "account a\nhost h\ntls on\ntls_trust_file ~/ca.pem\n",
        "TLS_CA_File = \"/home/joe/ca.pem\";" },
    { "msmtp", "account a\nhost h\ntls on\nauth on\nuser u\npasswordeval pass show mail\n",
        "AuthPassCommand = \"pass show mail\";" },
    { "msmtp", "account a\nhost h\ntls on\nauth on\nuser u\npasswordeval \"echo 'it' | tr a b\"\n",
        "AuthPassCommand = \"/bin/sh -c 'echo '\\\"'\\\"'it'\\\"'\\\"' | tr a b'\";" },
    { "msmtp", "account a\nhost h\neval date\n", "eval: what a command prints" },
    { "msmtp", "account a : nobody\nhost h\n", "nobody: there is no account of this name" },
    { "msmtp", "host h\nauth on\nuser u\npasswordeval a\x01z\n", "AuthPassFile = " },
    { "msmtp", "account\nhost h\n", "mailhub = \"h:25\";" },
    /* nullmailer */
    { "nullmailer", "h smtp \"\" --starttls\n", "UseTLS = true;" },
    { "nullmailer", "h smtp --port=587 --starttls --user=u --pass='a b'\n", "0:a b\n" },
    { "nullmailer", "h smtp --ssl\n", "mailhub = \"h:465\";" },
    { "nullmailer", "h smtp port=587 starttls user=u pass=p\n", "AuthUser = \"u\";" },
    { "nullmailer", "h smtp --starttls --insecure\n", "insecure: certificates are checked" },
    { "nullmailer", "a\nb smtp --user=u --pass=p\n", "line 2: b: its login or TLS is not that of the first" },
    { "nullmailer", "a smtp --pass='x\nb\n", "mailhub = \"b:25\";" },
    /* dma */
    { "dma", "SMARTHOST h\nPORT 465\nSECURETRANSFER\n", "UseTLS = true;" },
    { "dma", "SMARTHOST h\nPORT 587\nSECURETRANSFER\nSTARTTLS\n", "UseTLS = true;" },
    { "dma", "SMARTHOST h\nSTARTTLS\n", "without SECURETRANSFER" },
    { "dma", "SMARTHOST h # it\nDEFER\n", "Delivery = \"queue\";" },
    { "dma", "SMARTHOST h\nMASQUERADE example.org\n", "rewriteDomain = \"example.org\";" },
    { "dma", "SMARTHOST h\nMASQUERADE joe@example.org\n", "From = \"joe@example.org\";" },
    { "dma", "SMARTHOST h\nMAILNAME web1.example.org\nMASQUERADE joe@\n",
        "From = \"joe@web1.example.org\";" },
    { "dma", "SMARTHOST h\nAUTHPATH /nowhere\n", "AUTHPATH names it, and it is not there" },
    /* esmtp */
    { "esmtp", "hostname = h\nusername = u\npassword = \"a\\\"b#c\"\nstarttls = required\n", "0:a\"b#c\n" },
    { "esmtp", "hostname h:submission\n", "mailhub = \"h:587\";" },
    { "esmtp", "hostname h\nidentity a@x.org\nhostname i\n", "sender = \"a@x.org\";" },
    { "esmtp", "identity a@x.org\nhostname i\n", "From = \"a@x.org\";" },
    { "esmtp", "hostname h\nmda \"x\"\n", "mda: nothing is delivered locally" },
    /* Postfix */
    { "postfix", "relayhost = [h]:587\n", "mailhub = \"h:587\";" },
    { "postfix", "relayhost =\n  [h]:587\n", "mailhub = \"h:587\";" },
    { "postfix", "x = h\nrelayhost = [$x]:${p}\np = 26\n", "mailhub = \"h:26\";" },
    { "postfix", "relayhost = [2001:db8::1]:25\n", "mailhub = \"[2001:db8::1]:25\";" },
    { "postfix", "relayhost = [h]\nsmtp_sasl_auth_enable=yes\nsmtp_sasl_password_maps=static:u:p:q\n",
        "0:p:q\n" },
    { "postfix", "relayhost = [h]\nsmtp_sasl_password_maps=static:u:p\n",
        "smtp_sasl_auth_enable is not set" },
    { "postfix", "relayhost = [h]\nsmtp_tls_security_level=may\n", "UseTLS = \"opportunistic\";" },
    { "postfix", "a = $b\nb = $a\nrelayhost = [h$a]\n", "mailhub = \"h:25\";" },
    { "postfix", "relayhost = [h]\nalias_maps = hash:/etc/aliases\n", "!aliases" },
    { "postfix", "relayhost = [h]\nmydestination =\nrelay_transport =\nvirtual_alias_maps = \n",
        "!could not be taken" },
    { "postfix", "relayhost = [h]\nmailbox_size_limit = 0\ninet_protocols = all\ndefault_transport = smtp\n",
        "!could not be taken" },
    { "postfix", "relayhost = [h]\nalias_maps = hash:/etc/aliases\nalias_database = hash:/etc/aliases\n",
        "!could not be taken" },
    { "postfix", "relayhost = [h]\nlocal_transport = error:no local delivery\n", "!could not be taken" },
    { "postfix", "relayhost = [h]\nmydestination = lists.example.org\n",
        "mydestination: nothing is delivered" },
    { "postfix", "relayhost = [h]\ninet_protocols = ipv6\n", "inet_protocols: IPv4" },
    { "postfix", "relayhost = [h]\nalias_maps = hash:/etc/aliases, nis:x hash:/b\n",
        "aliases = ( \"/etc/aliases\", \"/b\" );" },
    /* Exim */
    { "exim", "dc_eximconfig_configtype='smarthost'\ndc_smarthost='h::587;i::587'\n",
        "mailhub = ( \"h:587\", \"i:587\" );" },
    { "exim", "dc_smarthost='h'\n", "UseTLS = \"opportunistic\";" },
    { "exim", "dc_smarthost='h'\ndc_other_hostnames='x'\n",
        "dc_other_hostnames: nothing is delivered locally" },
};

START_TEST(each_configuration_says_what_its_program_would_read)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].program, rows[i].text, NULL, NULL, rows[i].wanted);
}
END_TEST

START_TEST(logins_are_those_of_the_smarthost)
{
    expect("dma", "SMARTHOST h\nAUTHPATH /a\nSECURETRANSFER\nSTARTTLS\n", "/a", "x|i:1\nu|h:a:b|c\n",
        "0:a:b|c\n");
    expect("dma", "SMARTHOST h\nAUTHPATH /a\n", "/a", "u|h|a:b\n", "0:a:b\n");
    expect("exim", "dc_smarthost='h.example.org::587'\n", "/x/passwd.client", "*.example.org:u:a^^b:c\n",
        "0:a^b:c\n");
    expect("exim", "dc_smarthost='h.example.org'\n", "/x/passwd.client", "*.example.net:u:p\n",
        "it is not the smarthost");
    expect("postfix", "relayhost=[h]:587\nsmtp_sasl_auth_enable=yes\nsmtp_sasl_password_maps=hash:/s\n", "/s",
        "i u:1\n[h]:587 u:2 3\n", "0:2 3\n");
    expect("postfix", "relayhost=[h]:587\nsmtp_sasl_auth_enable=yes\nsmtp_sasl_password_maps=hash:/s\n", "/s",
        "[h]:587\n", "mailhub = \"h:587\"");
    expect("msmtp", "host h\nauth on\nuser u\ntls on\n", "/home/joe/.netrc",
        "machine i login u password 1\nmachine h login u\npassword 2\n", "0:2\n");
    expect("ssmtp", "mailhub=h\nAuthUser=u\nAuthPass=p\n", "/x/revaliases", "root:a@x.org:i:26\n", "1:p\n");
    expect("ssmtp", "mailhub=h\n", "/x/revaliases", "root:a@x.org\n", "user = \"root\";");
}
END_TEST

START_TEST(without_a_smarthost_there_is_no_configuration)
{
    static const struct row none[] = { { "nullmailer", "# none\n", "" }, { "msmtp", "tls on\n", "" },
        { "esmtp", "starttls = enabled\n", "" }, { "exim", "dc_eximconfig_configtype='local'\n", "" },
        { "nullmailer", "", "" } };
    struct buf out;

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        buf_init(&out, 1 << 20);
        ck_assert_msg(!convert(none[i].program, none[i].text, NULL, NULL, &out), "%s", none[i].program);
        buf_clear(&out);
    }
}
END_TEST

/* Cut anywhere and with any byte changed: never a crash, and what comes out is taken by our own reader (convert() looks) */
START_TEST(a_spoilt_configuration_still_makes_one_that_parses_or_none)
{
    struct buf out;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].text);
        for (size_t k = 0; k < len; k++) {
            static const char bytes[] = "\"'\\#= \n:@${";
            char *copy = strdup(rows[i].text);
            ck_assert_ptr_nonnull(copy);
            copy[k] = bytes[(i + k) % (sizeof bytes - 1)];
            if (k % 3 == 0)
                copy[k + 1] = '\0';
            buf_init(&out, 1 << 20);
            /* a login without a method to log in, and so on, may be left; that it parses is what counts */
            (void)convert(rows[i].program, copy, NULL, NULL, &out);
            buf_clear(&out);
            free(copy);
        }
    }
}
END_TEST

/* U+009B and 0x9B alone are what a terminal takes for ESC [ */
START_TEST(what_a_terminal_would_obey_is_written_so_that_it_shows_and_means_the_same)
{
    static const char *const logins[] = { "jo\xc2\x9b"
                                          "31m",
        "jo\x9b"
        "31m",
        "jo\xe2\x80\xae\"\\x41\\", "gr\xc3\xbc\xc3\x9f" };

    for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
        struct config c;
        struct error err;
        struct buf text;
        buf_init(&text, 1000);
        buf_add_str(&text, "mailhub = \"mail.example.org\";\nAuthPass = \"x\";\nAuthUser = ");
        import_text_quote(&text, logins[i]);
        buf_add_str(&text, ";\n");
        ck_assert(!strchr(buf_str(&text), '\x9b') && !strstr(buf_str(&text), "\x80\xae"));
        ck_assert_msg(import_text_check(buf_slice(&text), "/etc/smtprelay.conf", &c, &err), "%s", err.text);
        ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_USER), logins[i]);
        config_end(&c);
        buf_clear(&text);
    }
}
END_TEST

/* A name that leads to a thousand others, each of which does: nothing is ever set, so no buffer is full */
START_TEST(parameters_of_postfix_that_name_others_again_and_again_come_to_an_end)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
    struct buf text;

    buf_init(&text, 100000);
    buf_add_str(&text, "relayhost = [h$a]\n");
    for (size_t i = 0; i + 1 < sizeof names / sizeof names[0]; i++) {
        buf_add_format(&text, "%s =", names[i]);
        for (int n = 0; n < 1000; n++)
            buf_add_format(&text, "$%s", names[i + 1]);
        buf_add_char(&text, '\n');
    }
    expect("postfix", buf_str(&text), NULL, NULL, "mailhub = \"h:25\";");
    buf_clear(&text);
}
END_TEST

START_TEST(a_program_is_known_by_path_then_by_content)
{
    static const struct {
        const char *path, *text, *program;
    } known[] = { { "/etc/ssmtp/ssmtp.conf", "", "ssmtp" }, { "/root/.msmtprc", "", "msmtp" },
        { "/home/joe/.config/msmtp/config", "", "msmtp" }, { "/etc/nullmailer/remotes", "", "nullmailer" },
        { "/srv/config", "mailhub=x\n", "ssmtp" }, { "/srv/config", "MAILHUB = x\n", "ssmtp" },
        { "/srv/config", "account a\n", "msmtp" }, { "/srv/x", "SMARTHOST x\n", "dma" },
        { "/srv/x", "relayhost = x\n", "postfix" }, { "/srv/x", "dc_smarthost='x'\n", "exim" },
        { "/srv/x", "identity = x\n", "esmtp" }, { "/srv/x", "x\n", NULL }, { "/srv/x", "", NULL },
        { "/srv/x", "accountant\n", NULL } };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct import_program *p = import_recognise(known[i].path, slice_of(known[i].text));
        ck_assert_str_eq(p ? p->name : "none", known[i].program ? known[i].program : "none");
    }
}
END_TEST

SUITE_MAIN("import", each_line_is_carried_or_named, each_configuration_says_what_its_program_would_read,
    logins_are_those_of_the_smarthost, without_a_smarthost_there_is_no_configuration,
    a_spoilt_configuration_still_makes_one_that_parses_or_none,
    what_a_terminal_would_obey_is_written_so_that_it_shows_and_means_the_same,
    parameters_of_postfix_that_name_others_again_and_again_come_to_an_end,
    a_program_is_known_by_path_then_by_content)
