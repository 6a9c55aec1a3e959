/* SPDX-License-Identifier: ISC */
/* Conversations with the core: whole, and in pieces of 1, 2 and 7 octets. */
#include "channel/lmtp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_MESSAGE = 1000, MAX_RECIPIENTS = 3, MAX_RECEIVED = 2 };

/* clang-format off */
#define HELLO      "LHLO client.example\r\n"
#define HELLO_OK   "250-mx.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n" \
                   "250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 1000\r\n250-CHUNKING\r\n" \
                   "250 XFORWARD IDENT\r\n"
#define FROM       "MAIL FROM:<s@x>\r\n"
#define FROM_OK    "250 2.1.0 Sender ok\r\n"
#define TO         "RCPT TO:<a@b>\r\n"
#define TO_OK      "250 2.1.5 a@b\r\n"
#define BEGIN      HELLO FROM TO
#define BEGIN_OK   HELLO_OK FROM_OK TO_OK
#define DATA_OK    "354 End the message with a dot on a line by itself\r\n"
#define STORED     "250 2.0.0 stored\r\n"
#define BYE        "221 2.0.0 Bye\r\n"
#define NO_RCPT    "503 5.5.1 No recipient was accepted before DATA\r\n"
#define NO_RCPT_B  "503 5.5.1 No recipient was accepted before BDAT\r\n"
#define NO_MAIL    "503 5.5.1 MAIL comes before RCPT, and the message after\r\n"
#define NO_LHLO    "503 5.5.1 LHLO comes first, and MAIL once in a transaction\r\n"
#define BARE_LF    "554 5.6.0 Message has a bare LF: lines end in CRLF\r\n"
#define TOO_BIG    "552 5.3.4 Message is larger than this server takes\r\n"
#define LOOP       "554 5.4.6 Mail loop: too many Received fields\r\n"
#define UNKNOWN    "500 5.5.2 Command not recognized\r\n"
#define NOT_LINE   "500 5.5.2 A command is a line that ends in CRLF; closing\r\n"
#define NOT_TEXT   "500 5.5.2 A command is UTF-8 text without control octets\r\n"
#define MAIL_HOW   "501 5.5.4 Syntax: MAIL FROM:<address>\r\n"
#define RCPT_HOW   "501 5.5.4 Syntax: RCPT TO:<address>\r\n"
#define BDAT_HOW   "501 5.5.4 Syntax: BDAT octets [LAST]\r\n"
#define BDAT_CLOSE "501 5.5.4 Syntax: BDAT octets [LAST]; closing\r\n"
#define BAD_PARAM  "501 5.5.4 Bad parameter\r\n"
#define UNK_PARAM  "555 5.5.4 Unknown parameter\r\n"
#define NEEDS_UTF8 "553 5.6.7 Address needs SMTPUTF8\r\n"
#define BAD_SENDER "501 5.1.7 Bad sender address\r\n"
#define NO_ARG     "501 5.5.4 This command takes no argument\r\n"
#define TEN        "0123456789"
#define HUNDRED    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND   HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
/* clang-format on */

/* `stored`: the messages written and committed, each after a '|'; a message that
 * was given up after some octets were written is not in it. */
static const struct {
	const char *name;
	struct str in, out, stored;
} rows[] = {
	/* clang-format off */
	{"greets first", STR_INIT(""), STR_INIT(""), STR_INIT("")},
	{"a message", STR_INIT(BEGIN "DATA\r\nhi\r\n.\r\nQUIT\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED BYE), STR_INIT("|hi\r\n.\r\n")},
	{"case and blanks do not matter", STR_INIT("lhlo C\r\nmail from: <s@x> \r\nrcpt to: <a@b>\r\ndata \r\n.\r\nquit\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED BYE), STR_INIT("|.\r\n")},
	{"a reply for each accepted recipient", STR_INIT(BEGIN "RCPT TO:<no@b>\r\nRCPT TO:<over@b>\r\nDATA\r\n.\r\n"),
		STR_INIT(BEGIN_OK "550 5.1.1 no@b\r\n250 2.1.5 over@b\r\n" DATA_OK STORED "452 4.2.2 over\r\n"),
		STR_INIT("|.\r\n")},
	{"two transactions", STR_INIT(BEGIN "DATA\r\n1\r\n.\r\n" FROM TO "DATA\r\n2\r\n.\r\nQUIT\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED FROM_OK TO_OK DATA_OK STORED BYE), STR_INIT("|1\r\n.\r\n|2\r\n.\r\n")},
	{"RSET ends a transaction", STR_INIT(BEGIN "RSET\r\n" TO "DATA\r\n" FROM "DATA\r\n"),
		STR_INIT(BEGIN_OK "250 2.0.0 Ok\r\n" NO_MAIL NO_RCPT FROM_OK NO_RCPT), STR_INIT("")},
	{"LHLO ends a transaction", STR_INIT(BEGIN HELLO TO), STR_INIT(BEGIN_OK HELLO_OK NO_MAIL), STR_INIT("")},
	{"HELO and EHLO are told", STR_INIT("HELO x\r\nEHLO x\r\n"),
		STR_INIT("500 5.5.1 This is LMTP: say LHLO (RFC 2033)\r\n500 5.5.1 This is LMTP: say LHLO (RFC 2033)\r\n"), STR_INIT("")},
	{"LHLO wants a name", STR_INIT("LHLO\r\nLHLO \r\nLHLO a b\r\nLHLO (x)\r\nLHLO [127.0.0.1]\r\n"),
		STR_INIT("501 5.5.4 LHLO wants the name of a host\r\n501 5.5.4 LHLO wants the name of a host\r\n"
			 "501 5.5.4 LHLO wants the name of a host\r\n501 5.5.4 LHLO wants the name of a host\r\n" HELLO_OK), STR_INIT("")},
	{"small commands", STR_INIT("NOOP\r\nNOOP \"x\r\nVRFY a\r\nVRFY\r\nHELP\r\nRSET\r\nRSET x\r\nQUIT x\r\nQUIT\r\n"),
		STR_INIT("250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n252 2.0.0 Ask by RCPT\r\n501 5.5.4 VRFY wants an address\r\n"
			 "214 2.0.0 LHLO XFORWARD MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 2033, 3030)\r\n"
			 "250 2.0.0 Ok\r\n" NO_ARG NO_ARG BYE), STR_INIT("")},
	{"unknown commands", STR_INIT("\r\nSTARTTLS\r\nXCLIENT ADDR=1\r\nPROXY TCP4\r\nLHLOX a\r\n"),
		STR_INIT(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN), STR_INIT("")},

	/* sequence */
	{"nothing before LHLO", STR_INIT(FROM TO "DATA\r\nBDAT 3\r\nNOOBDAT 0 LAST\r\n"),
		STR_INIT(NO_LHLO NO_MAIL NO_RCPT NO_RCPT_B NO_RCPT_B), STR_INIT("")},
	{"MAIL only once", STR_INIT(HELLO FROM FROM TO FROM), STR_INIT(HELLO_OK FROM_OK NO_LHLO TO_OK NO_LHLO), STR_INIT("")},
	{"DATA without an accepted recipient", STR_INIT(HELLO FROM "RCPT TO:<no@b>\r\nDATA\r\n" TO "DATA\r\n.\r\n"),
		STR_INIT(HELLO_OK FROM_OK "550 5.1.1 no@b\r\n" NO_RCPT TO_OK DATA_OK STORED), STR_INIT("|.\r\n")},
	{"DATA with an argument", STR_INIT(BEGIN "DATA x\r\nDATA\r\n.\r\n"), STR_INIT(BEGIN_OK NO_ARG DATA_OK STORED), STR_INIT("|.\r\n")},
	{"after a message everything starts again", STR_INIT(BEGIN "DATA\r\n.\r\n" TO "DATA\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED NO_MAIL NO_RCPT), STR_INIT("|.\r\n")},
	{"after a refused message too", STR_INIT(BEGIN "DATA\r\na\nb\r\n.\r\n" TO "DATA\r\nBDAT 0 LAST\r\n"),
		STR_INIT(BEGIN_OK DATA_OK BARE_LF NO_MAIL NO_RCPT NO_RCPT_B), STR_INIT("")},
	{"nothing of a refused message stays", STR_INIT(BEGIN TO "DATA\r\n\n.\r\n.\r\n" FROM TO "DATA\r\nx\r\n.\r\n"),
		STR_INIT(BEGIN_OK TO_OK DATA_OK BARE_LF BARE_LF FROM_OK TO_OK DATA_OK STORED), STR_INIT("|x\r\n.\r\n")},

	/* lines */
	{"bare LF ends nothing but the connection", STR_INIT("NOOP\nQUIT\r\nNOOP\r\n"), STR_INIT(NOT_LINE), STR_INIT("")},
	{"bare CR", STR_INIT("NOOP\rx\r\nNOOP\r\n"), STR_INIT(NOT_LINE), STR_INIT("")},
	{"NUL", STR_INIT("NO\0OP\r\nNOOP\r\n"), STR_INIT(NOT_LINE), STR_INIT("")},
	{"address with CR LF in quotes", STR_INIT(HELLO "MAIL FROM:<\"a\rb\"@c>\r\nNOOP\r\n"), STR_INIT(HELLO_OK NOT_LINE), STR_INIT("")},
	{"other control octets", STR_INIT("NOOP \t\r\nNOOP \x7f\r\nNOOP \x1b[1m\r\nNOOP\r\n"),
		STR_INIT(NOT_TEXT NOT_TEXT NOT_TEXT "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"half a character", STR_INIT(HELLO FROM "RCPT TO:<\xc3\xa4\xc3>\r\nNOOP \xe2\x82\r\n" TO),
		STR_INIT(HELLO_OK FROM_OK NOT_TEXT NOT_TEXT TO_OK), STR_INIT("")},
	{"2048 octets", STR_INIT("NOOP " THOUSAND THOUSAND TEN TEN TEN TEN "1\r\nNOOP\r\n"),
		STR_INIT("250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"2049 octets", STR_INIT("NOOP " THOUSAND THOUSAND TEN TEN TEN TEN "12\r\nNOOP\r\n"),
		STR_INIT("500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"a long line is not split", STR_INIT("NOOP " THOUSAND THOUSAND THOUSAND "QUIT\r\nNOOP\r\n"),
		STR_INIT("500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"twenty bad commands", STR_INIT("x\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nx\r\nNOOP\r\n"),
		STR_INIT(UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
			 UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
			 "421 4.7.0 Too many errors, closing\r\n"), STR_INIT("")},

	/* MAIL */
	{"null sender", STR_INIT(HELLO "MAIL FROM:<>\r\n" TO "DATA\r\n.\r\n"), STR_INIT(HELLO_OK FROM_OK TO_OK DATA_OK STORED), STR_INIT("|.\r\n")},
	{"bad MAIL", STR_INIT(HELLO "MAIL\r\nMAIL <a@b>\r\nMAIL FROM:a@b\r\nMAIL FROM:<a@b\r\nMAIL FROM:<a@b>SIZE=1\r\nMAIL TO:<a@b>\r\n" FROM),
		STR_INIT(HELLO_OK MAIL_HOW MAIL_HOW MAIL_HOW MAIL_HOW MAIL_HOW MAIL_HOW FROM_OK), STR_INIT("")},
	{"bad senders", STR_INIT(HELLO "MAIL FROM:<a b@c>\r\nMAIL FROM:<@>\r\nMAIL FROM:<\"a\\\">\r\nMAIL FROM:<\"\"@d>\r\n" FROM),
		STR_INIT(HELLO_OK BAD_SENDER BAD_SENDER MAIL_HOW BAD_SENDER FROM_OK), STR_INIT("")},
	{"a shell finds nothing to do", STR_INIT(HELLO "MAIL FROM:<;sleep 66;>\r\nMAIL FROM:<$(id)@x>\r\nMAIL FROM:<\"|touch /tmp/x\"@x>\r\n"),
		STR_INIT(HELLO_OK BAD_SENDER BAD_SENDER FROM_OK), STR_INIT("")},
	{"a long sender is a sender, within reason", STR_INIT(HELLO "MAIL FROM:<" HUNDRED HUNDRED HUNDRED "@x>\r\nMAIL FROM:<" HUNDRED HUNDRED "@x>\r\n"),
		STR_INIT(HELLO_OK BAD_SENDER FROM_OK), STR_INIT("")},
	{"parameters", STR_INIT(HELLO "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8  AUTH=u+41 \r\nRSET\r\nmail from:<a@b> size=0 body=7bit auth=<>\r\n"),
		STR_INIT(HELLO_OK FROM_OK "250 2.0.0 Ok\r\n" FROM_OK), STR_INIT("")},
	{"bad parameters", STR_INIT(HELLO "MAIL FROM:<a@b> SIZE=\r\nMAIL FROM:<a@b> SIZE\r\nMAIL FROM:<a@b> SIZE=-1\r\n"
			"MAIL FROM:<a@b> SIZE=18446744073709551616\r\nMAIL FROM:<a@b> SIZE=1 SIZE=1\r\n"
			"MAIL FROM:<a@b> BODY=BINARYMIME\r\nMAIL FROM:<a@b> SMTPUTF8=1\r\nMAIL FROM:<a@b> AUTH\r\n"),
		STR_INIT(HELLO_OK BAD_PARAM BAD_PARAM BAD_PARAM BAD_PARAM BAD_PARAM BAD_PARAM BAD_PARAM BAD_PARAM), STR_INIT("")},
	{"parameters that are not announced", STR_INIT(HELLO "MAIL FROM:<a@b> RET=FULL\r\nMAIL FROM:<a@b> ENVID=x\r\nMAIL FROM:<a@b> =\r\n"
			FROM "RCPT TO:<a@b> NOTIFY=NEVER\r\nRCPT TO:<a@b> ORCPT=rfc822;a@b\r\n" TO),
		STR_INIT(HELLO_OK UNK_PARAM UNK_PARAM UNK_PARAM FROM_OK UNK_PARAM UNK_PARAM TO_OK), STR_INIT("")},
	{"declared too large", STR_INIT(HELLO "MAIL FROM:<a@b> SIZE=1001\r\n" TO), STR_INIT(HELLO_OK TOO_BIG NO_MAIL), STR_INIT("")},
	{"nothing of a refused MAIL stays", STR_INIT(HELLO "MAIL FROM:<a@b> SMTPUTF8 X=1\r\nMAIL FROM:<\xc3\xa4@b>\r\n"),
		STR_INIT(HELLO_OK UNK_PARAM NEEDS_UTF8), STR_INIT("")},
	{"UTF-8 sender", STR_INIT(HELLO "MAIL FROM:<\xc3\xa4@b> SMTPUTF8\r\nRCPT TO:<\xc3\xb6@b>\r\n"),
		STR_INIT(HELLO_OK FROM_OK "250 2.1.5 \xc3\xb6@b\r\n"), STR_INIT("")},

	/* RCPT */
	{"bad RCPT", STR_INIT(HELLO FROM "RCPT\r\nRCPT TO\r\nRCPT TO:\r\nRCPT TO:a@b\r\nRCPT TO:<a@b\r\nRCPT TO:<\"a>\r\nRCPT TO:<a@b>x\r\nRCPT TO:<\"a\\\">\r\n" TO),
		STR_INIT(HELLO_OK FROM_OK RCPT_HOW RCPT_HOW RCPT_HOW RCPT_HOW RCPT_HOW RCPT_HOW RCPT_HOW RCPT_HOW TO_OK), STR_INIT("")},
	{"quotes keep an address together", STR_INIT(HELLO FROM "RCPT TO:<\"a>b\"@c>\r\n"), STR_INIT(HELLO_OK FROM_OK "250 2.1.5 \"a>b\"@c\r\n"), STR_INIT("")},
	{"what is between < and > is for the verdict", STR_INIT(HELLO FROM "RCPT TO:<>\r\nRCPT TO:<no;sleep 66;>\r\n"),
		STR_INIT(HELLO_OK FROM_OK "250 2.1.5 \r\n550 5.1.1 no;sleep 66;\r\n"), STR_INIT("")},
	{"UTF-8 recipient without SMTPUTF8", STR_INIT(HELLO FROM "RCPT TO:<\xc3\xb6@b>\r\n" TO), STR_INIT(HELLO_OK FROM_OK NEEDS_UTF8 TO_OK), STR_INIT("")},
	{"too many recipients", STR_INIT(BEGIN TO "RCPT TO:<no@b>\r\n" TO TO "DATA\r\n.\r\n"),
		STR_INIT(BEGIN_OK TO_OK "550 5.1.1 no@b\r\n" TO_OK "452 4.5.3 Too many recipients in one transaction\r\n"
			 DATA_OK STORED STORED STORED), STR_INIT("|.\r\n")},

	/* messages that are refused */
	{"just not too large", STR_INIT(BEGIN "DATA\r\n" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
			TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678\r\n.\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED),
		STR_INIT("|" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
			TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678\r\n.\r\n")},
	{"an octet too large", STR_INIT(BEGIN TO "DATA\r\n" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
			TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456789\r\n.\r\nNOOP\r\n"),
		STR_INIT(BEGIN_OK TO_OK DATA_OK TOO_BIG TOO_BIG "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"stuffed dots do not count", STR_INIT(BEGIN "DATA\r\n" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
			TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345\r\n..\r\n.\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED), STR_INIT("|" HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
			TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345\r\n..\r\n.\r\n")},
	{"as many Received as may be", STR_INIT(BEGIN "DATA\r\nReceived: a\r\nReceived: b\r\n\r\nReceived: c\r\n.\r\n"),
		STR_INIT(BEGIN_OK DATA_OK STORED), STR_INIT("|Received: a\r\nReceived: b\r\n\r\nReceived: c\r\n.\r\n")},
	{"one Received too many", STR_INIT(BEGIN "DATA\r\nReceived: a\r\nReceived: b\r\nreceived:c\r\n\r\n.\r\nNOOP\r\n"),
		STR_INIT(BEGIN_OK DATA_OK LOOP "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"no octet is executed", STR_INIT(BEGIN "DATA\r\na\r\n.\n" FROM TO "DATA\r\n.\r\n"), STR_INIT(BEGIN_OK DATA_OK BARE_LF), STR_INIT("")},
	{"bare CR and NUL are octets", STR_INIT(BEGIN "DATA\r\na\rb\0\xff\r\n.\r\n"), STR_INIT(BEGIN_OK DATA_OK STORED), STR_INIT("|a\rb\0\xff\r\n.\r\n")},

	/* the caller fails */
	{"cannot open: DATA", STR_INIT(HELLO "MAIL FROM:<full@x>\r\n" TO TO "DATA\r\nNOOP\r\nDATA\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK TO_OK "452 4.3.1 full\r\n250 2.0.0 Ok\r\n" NO_RCPT), STR_INIT("")},
	{"cannot open: BDAT", STR_INIT(HELLO "MAIL FROM:<full@x>\r\n" TO TO "BDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK TO_OK "452 4.3.1 full\r\n" NO_RCPT_B "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"cannot open: BDAT LAST", STR_INIT(HELLO "MAIL FROM:<full@x>\r\n" TO TO "BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK TO_OK "452 4.3.1 full\r\n452 4.3.1 full\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"cannot open: BDAT 0 LAST", STR_INIT(HELLO "MAIL FROM:<full@x>\r\n" TO "BDAT 0 LAST\r\nNOOP\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK "452 4.3.1 full\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"cannot write: DATA", STR_INIT(HELLO "MAIL FROM:<disk@x>\r\n" TO TO "DATA\r\nhello\r\n.\r\nNOOP\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK TO_OK DATA_OK "451 4.3.0 disk\r\n451 4.3.0 disk\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"cannot write: BDAT", STR_INIT(HELLO "MAIL FROM:<disk@x>\r\n" TO "BDAT 3\r\nabcNOOP\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK "451 4.3.0 disk\r\n250 2.0.0 Ok\r\n"), STR_INIT("")},

	{"a failure is forgotten with its message", STR_INIT(HELLO "MAIL FROM:<disk@x>\r\n" TO "DATA\r\nhello\r\n.\r\n" FROM TO "DATA\r\na\nb\r\n.\r\n"),
		STR_INIT(HELLO_OK FROM_OK TO_OK DATA_OK "451 4.3.0 disk\r\n" FROM_OK TO_OK DATA_OK BARE_LF), STR_INIT("")},

	/* BDAT */
	{"one chunk", STR_INIT(BEGIN "BDAT 4 LAST\r\nhi\r\nQUIT\r\n"), STR_INIT(BEGIN_OK STORED BYE), STR_INIT("|hi\r\n.\r\n")},
	{"chunks that end anywhere", STR_INIT(BEGIN "BDAT 2\r\na\rBDAT 1\r\n\nBDAT 1\r\n.BDAT 0\r\nBDAT 3 last\r\n\r\nbNOOP\r\n"),
		STR_INIT(BEGIN_OK "250 2.0.0 2 octets received\r\n250 2.0.0 1 octets received\r\n250 2.0.0 1 octets received\r\n"
			 "250 2.0.0 0 octets received\r\n" STORED "250 2.0.0 Ok\r\n"), STR_INIT("|a\r\n..\r\nb\r\n.\r\n")},
	{"an end in a chunk is text", STR_INIT(BEGIN "BDAT 7 LAST\r\na\r\n.\r\nxNOOP\r\n"), STR_INIT(BEGIN_OK STORED "250 2.0.0 Ok\r\n"),
		STR_INIT("|a\r\n..\r\nx\r\n.\r\n")},
	{"empty message", STR_INIT(BEGIN "BDAT 0 LAST\r\nNOOP\r\n"), STR_INIT(BEGIN_OK STORED "250 2.0.0 Ok\r\n"), STR_INIT("|.\r\n")},
	{"empty last chunk", STR_INIT(BEGIN TO "BDAT 1\r\nxBDAT 0 LAST\r\n"),
		STR_INIT(BEGIN_OK TO_OK "250 2.0.0 1 octets received\r\n" STORED STORED), STR_INIT("|x\r\n.\r\n")},
	{"no transaction", STR_INIT(HELLO "BDAT 4\r\nRSETBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"),
		STR_INIT(HELLO_OK NO_RCPT_B NO_RCPT_B "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"no accepted recipient", STR_INIT(HELLO FROM "RCPT TO:<no@b>\r\nBDAT 4 LAST\r\nRSET" TO "BDAT 1 LAST\r\nx"),
		STR_INIT(HELLO_OK FROM_OK "550 5.1.1 no@b\r\n" NO_RCPT_B TO_OK STORED), STR_INIT("|x\r\n.\r\n")},
	{"no number: nobody knows what follows", STR_INIT(BEGIN "BDAT -1\r\nNOOP\r\n"), STR_INIT(BEGIN_OK BDAT_CLOSE), STR_INIT("")},
	{"no number at all", STR_INIT(BEGIN "BDAT\r\nNOOP\r\n"), STR_INIT(BEGIN_OK BDAT_CLOSE), STR_INIT("")},
	{"a number too large", STR_INIT(BEGIN "BDAT 18446744073709551616\r\nNOOP\r\n"), STR_INIT(BEGIN_OK BDAT_CLOSE), STR_INIT("")},
	{"a number, but no text", STR_INIT(BEGIN "BDAT 6\tLAST\r\nRSET\r\nNOOP\r\n"), STR_INIT(BEGIN_OK BDAT_CLOSE), STR_INIT("")},
	{"a number, but not LAST", STR_INIT(BEGIN "BDAT 4 LSAT\r\nRSETBDAT 1 LAST x\r\nyNOOP\r\n" TO),
		STR_INIT(BEGIN_OK BDAT_HOW BDAT_HOW "250 2.0.0 Ok\r\n" TO_OK), STR_INIT("")},
	{"not LAST, between chunks", STR_INIT(BEGIN "BDAT 1\r\nxBDAT 4 LSAT\r\nRSETBDAT 0 LAST\r\n" FROM),
		STR_INIT(BEGIN_OK "250 2.0.0 1 octets received\r\n" BDAT_HOW NO_RCPT_B FROM_OK), STR_INIT("")},
	{"a chunk too large is swallowed", STR_INIT(BEGIN "BDAT 1\r\nxBDAT 1000\r\n" THOUSAND "BDAT 1 LAST\r\nyNOOP\r\n"),
		STR_INIT(BEGIN_OK "250 2.0.0 1 octets received\r\n" TOO_BIG NO_RCPT_B "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"a last chunk too large", STR_INIT(BEGIN TO "BDAT 1\r\nxBDAT 1000 LAST\r\n" THOUSAND "NOOP\r\n"),
		STR_INIT(BEGIN_OK TO_OK "250 2.0.0 1 octets received\r\n" TOO_BIG TOO_BIG "250 2.0.0 Ok\r\n"), STR_INIT("")},
	{"a chunk that could only overflow", STR_INIT(BEGIN "BDAT 1\r\nxBDAT 18446744073709551615\r\nxyz"),
		STR_INIT(BEGIN_OK "250 2.0.0 1 octets received\r\n"), STR_INIT("")},
	{"bare LF in a chunk", STR_INIT(BEGIN "BDAT 3\r\na\nbBDAT 1 LAST\r\nx" TO),
		STR_INIT(BEGIN_OK BARE_LF NO_RCPT_B NO_MAIL), STR_INIT("")},
	{"a loop in a last chunk", STR_INIT(BEGIN TO "BDAT 31 LAST\r\nReceived:\r\nReceived:\r\nReceived:" TO),
		STR_INIT(BEGIN_OK TO_OK LOOP LOOP NO_MAIL), STR_INIT("")},
	{"DATA and BDAT do not mix", STR_INIT(BEGIN "BDAT 1\r\nxDATA\r\n" TO FROM "BDAT 0 LAST\r\n"),
		STR_INIT(BEGIN_OK "250 2.0.0 1 octets received\r\n" NO_RCPT NO_MAIL NO_LHLO STORED), STR_INIT("|x\r\n.\r\n")},
	{"RSET between chunks", STR_INIT(BEGIN "BDAT 1\r\nxRSET\r\nBDAT 1 LAST\r\ny"),
		STR_INIT(BEGIN_OK "250 2.0.0 1 octets received\r\n250 2.0.0 Ok\r\n" NO_RCPT_B), STR_INIT("")},
	{"gone inside a chunk", STR_INIT(BEGIN "BDAT 10 LAST\r\nabc"), STR_INIT(BEGIN_OK), STR_INIT("")},
	{"a chunk error, then DATA", STR_INIT(HELLO "BDAT 1 LAST\r\nxDATA\r\nBDAT x\r\n"), STR_INIT(HELLO_OK NO_RCPT_B NO_RCPT BDAT_CLOSE), STR_INIT("")},
	/* clang-format on */
};

/* What stands for the session: judges by the address, fails by the sender. */
struct world {
	struct lmtp *s;
	struct buf said, writing, stored, recipients;
	uint32_t resets;
};

static void world_init(struct world *w)
{
	struct lmtp_limits limits = {MAX_MESSAGE, MAX_RECIPIENTS, MAX_RECEIVED};

	*w = (struct world){.s = lmtp_new(&limits, STR("mx.example.org"))};
	buf_init(&w->said, 65536);
	buf_init(&w->writing, 65536);
	buf_init(&w->stored, 65536);
	buf_init(&w->recipients, 4096);
}

static void world_fini(struct world *w)
{
	buf_fini(&w->said);
	buf_fini(&w->writing);
	buf_fini(&w->stored);
	buf_fini(&w->recipients);
	lmtp_free(&w->s);
	assert_null(w->s);
}

static void judge(struct world *w)
{
	char address[256];
	struct str a = lmtp_recipient(w->s);
	bool no = str_starts(a, STR("no"));

	assert_true(a.n < sizeof address);
	memcpy(address, a.p, a.n);
	address[a.n] = '\0';
	if (!no)
		buf_printf(&w->recipients, "%s\n",
			   str_starts(a, STR("over")) ? "over" : "ok");
	lmtp_answer(w->s, &(struct lmtp_reply){no ? 550 : 250, no ? "5.1.1" : "2.1.5",
					       address});
}

static void commit(struct world *w)
{
	struct str all = buf_str(&w->recipients);
	uint32_t n = lmtp_accepted(w->s);

	assert_true(lmtp_message(w->s)->ended);
	assert_int_equal(lmtp_message(w->s)->stored, w->writing.n);
	buf_putc(&w->stored, '|');
	buf_put(&w->stored, buf_str(&w->writing));
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(lmtp_want(w->s), LMTP_WANT_COMMIT);
		if (str_eq(str_cut(&all, '\n'), STR("over")))
			lmtp_answer(w->s, &(struct lmtp_reply){452, "4.2.2", "over"});
		else
			lmtp_answer(w->s, &(struct lmtp_reply){250, "2.0.0", "stored"});
	}
	assert_int_equal(lmtp_want(w->s), LMTP_WANT_RESET);
}

/* serve - does what the core wants until it wants input or the end */
static void serve(struct world *w)
{
	for (;;) {
		buf_put(&w->said, buf_str(lmtp_output(w->s)));
		buf_clear(lmtp_output(w->s));
		switch (lmtp_want(w->s)) {
		case LMTP_WANT_RECIPIENT:
			judge(w);
			break;
		case LMTP_WANT_OPEN:
			if (str_starts(lmtp_sender(w->s), STR("full")))
				lmtp_answer(w->s,
					    &(struct lmtp_reply){452, "4.3.1", "full"});
			else
				lmtp_done(w->s);
			break;
		case LMTP_WANT_WRITE:
			assert_true(lmtp_in_message(w->s));
			buf_put(&w->writing, lmtp_data(w->s));
			if (str_starts(lmtp_sender(w->s), STR("disk")))
				lmtp_answer(w->s,
					    &(struct lmtp_reply){451, "4.3.0", "disk"});
			else
				lmtp_done(w->s);
			break;
		case LMTP_WANT_COMMIT:
			commit(w);
			break;
		case LMTP_WANT_RESET:
			buf_clear(&w->writing);
			buf_clear(&w->recipients);
			w->resets++;
			lmtp_done(w->s);
			break;
		case LMTP_WANT_TLS:
			buf_put(&w->said, STR("(TLS)\n"));
			lmtp_done(w->s);
			break;
		case LMTP_WANT_CLIENT:
			buf_printf(&w->said, "(client %u)\n", lmtp_client(w->s)->port);
			lmtp_done(w->s);
			break;
		case LMTP_WANT_INPUT:
		case LMTP_WANT_CLOSE:
			return;
		}
	}
}

static void feed(struct world *w, struct str in, size_t step)
{
	while (in.n > 0 && lmtp_want(w->s) == LMTP_WANT_INPUT) {
		char piece[65536];
		size_t n = in.n < step ? in.n : step;

		memcpy(piece, in.p, n);
		size_t used = lmtp_feed(w->s, (struct str){piece, n});
		assert_true(used > 0 && used <= n);
		in = (struct str){in.p + used, in.n - used};
		serve(w);
	}
}

static void is(const char *what, struct str got, struct str want)
{
	if (!str_eq(got, want))
		fail_msg("%s is\n" STR_FMT "\nand should be\n" STR_FMT, what,
			 STR_ARG(got), STR_ARG(want));
}

static void conversations(void **state UNUSED)
{
	static const size_t steps[] = {65536, 1, 2, 7};
	struct str greeting = STR("220 mx.example.org LMTP ready\r\n");

	for (size_t i = 0; i < countof(rows) * countof(steps); i++) {
		size_t row = i / countof(steps), step = steps[i % countof(steps)];
		struct world w;

		print_message("# %s, %zu octets at a time\n", rows[row].name, step);
		world_init(&w);
		serve(&w);
		feed(&w, rows[row].in, step);
		assert_true(str_starts(buf_str(&w.said), greeting));
		buf_drop(&w.said, greeting.n);
		is("the answer", buf_str(&w.said), rows[row].out);
		is("what is stored", buf_str(&w.stored), rows[row].stored);
		world_fini(&w);
	}
}

static void the_envelope_is_there_while_it_lasts(void **state UNUSED)
{
	struct world w;
	struct str in = STR(
		HELLO
		"MAIL FROM:<@route.example:\"S p\"@X.example> SIZE=77 SMTPUTF8\r\nRCPT TO:<a@b>\r\n");

	world_init(&w);
	serve(&w);
	feed(&w, in, 65536);
	is("the name", lmtp_peer_name(w.s), STR("client.example"));
	is("the sender", lmtp_sender(w.s), STR("\"S p\"@x.example"));
	assert_int_equal(lmtp_size(w.s), 77);
	assert_true(lmtp_is_utf8(w.s));
	assert_int_equal(lmtp_accepted(w.s), 1);
	assert_int_equal(w.resets, 0);
	feed(&w, STR("RSET\r\n"), 65536);
	assert_int_equal(w.resets, 1);
	is("the sender", lmtp_sender(w.s), STR(""));
	assert_int_equal(lmtp_size(w.s), 0);
	assert_false(lmtp_is_utf8(w.s));
	assert_int_equal(lmtp_accepted(w.s), 0);
	world_fini(&w);
}

#define XFORWARD_OK  "250 2.0.0 Ok\r\n"
#define XFORWARD_HOW "501 5.5.4 Syntax: XFORWARD attribute=value\r\n"
#define NO_XFORWARD  "503 5.5.1 LHLO comes first, and XFORWARD before MAIL\r\n"

/* The queue id of a transaction, as RCPT and the message see it. */
static const struct {
	const char *name;
	struct str in, out, ident;
} idents[] = {
	/* clang-format off */
	{"none", STR_INIT(BEGIN), STR_INIT(BEGIN_OK), STR_INIT("")},
	{"one", STR_INIT(HELLO "XFORWARD IDENT=4bXyz1\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("4bXyz1")},
	{"among others, in any case", STR_INIT(HELLO "xforward NAME=a.example ADDR=IPv6:::1 port=25 proto=ESMTP helo=[x] ident=1a-2.b_C source=REMOTE\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("1a-2.b_C")},
	{"the last one counts", STR_INIT(HELLO "XFORWARD IDENT=1 IDENT=2\r\nXFORWARD IDENT=3\r\nXFORWARD NAME=n\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK XFORWARD_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("3")},
	{"taken back", STR_INIT(HELLO "XFORWARD IDENT=1\r\nXFORWARD IDENT=[UNAVAILABLE]\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("")},
	{"what is no queue id", STR_INIT(HELLO "XFORWARD IDENT=a+20b\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("")},
	{"a long one", STR_INIT(HELLO "XFORWARD IDENT=" TEN TEN TEN TEN TEN TEN "1234\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT(TEN TEN TEN TEN TEN TEN "1234")},
	{"one that is too long", STR_INIT(HELLO "XFORWARD IDENT=" TEN TEN TEN TEN TEN TEN "12345\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("")},
	{"an attribute of 255 octets", STR_INIT(HELLO "XFORWARD NAME=" HUNDRED HUNDRED TEN TEN TEN TEN TEN "12345\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK), STR_INIT("")},
	{"and of 256", STR_INIT(HELLO "XFORWARD NAME=" HUNDRED HUNDRED TEN TEN TEN TEN TEN "123456\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_HOW FROM_OK TO_OK), STR_INIT("")},
	{"not with the next message", STR_INIT(HELLO "XFORWARD IDENT=1\r\n" FROM TO "DATA\r\n.\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK TO_OK DATA_OK STORED FROM_OK TO_OK), STR_INIT("")},
	{"not after RSET", STR_INIT(HELLO "XFORWARD IDENT=1\r\n" FROM "RSET\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK FROM_OK "250 2.0.0 Ok\r\n" FROM_OK TO_OK), STR_INIT("")},
	{"not after RSET before MAIL", STR_INIT(HELLO "XFORWARD IDENT=1\r\nRSET\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK "250 2.0.0 Ok\r\n" FROM_OK TO_OK), STR_INIT("")},
	{"not after LHLO", STR_INIT(HELLO "XFORWARD IDENT=1\r\n" HELLO FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK HELLO_OK FROM_OK TO_OK), STR_INIT("")},
	{"a bad one changes nothing", STR_INIT(HELLO "XFORWARD IDENT=1\r\nXFORWARD IDENT=2 X=3\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_OK XFORWARD_HOW FROM_OK TO_OK), STR_INIT("1")},
	{"syntax", STR_INIT(HELLO "XFORWARD\r\nXFORWARD \r\nXFORWARD IDENT\r\nXFORWARD IDENT=\r\nXFORWARD IDENT=a=b\r\n"
			    "XFORWARD IDENT=a  PROTO=b\r\nXFORWARD IDENT=+2\r\nXFORWARD IDENT=+2g\r\nXFORWARD IDENT=\xc3\xa4\r\n" FROM TO),
		STR_INIT(HELLO_OK XFORWARD_HOW XFORWARD_HOW XFORWARD_HOW XFORWARD_HOW XFORWARD_HOW
			 XFORWARD_HOW XFORWARD_HOW XFORWARD_HOW XFORWARD_HOW FROM_OK TO_OK), STR_INIT("")},
	{"only between transactions", STR_INIT("XFORWARD IDENT=1\r\n" HELLO FROM "XFORWARD IDENT=1\r\n" TO "XFORWARD IDENT=1\r\n"),
		STR_INIT(NO_XFORWARD HELLO_OK FROM_OK NO_XFORWARD TO_OK NO_XFORWARD), STR_INIT("")},
	/* clang-format on */
};

static void the_client_may_tell_a_queue_id(void **state UNUSED)
{
	for (size_t i = 0; i < countof(idents); i++) {
		struct world w;

		print_message("# %s\n", idents[i].name);
		world_init(&w);
		serve(&w);
		buf_clear(&w.said);
		feed(&w, idents[i].in, 65536);
		is("the answer", buf_str(&w.said), idents[i].out);
		is("the queue id", lmtp_ident(w.s), idents[i].ident);
		world_fini(&w);
	}
}

/* Until it is reset, a refused message says why: that is for the log. */
static void a_refusal_can_be_asked_for(void **state UNUSED)
{
	struct world w;
	struct str in = STR(BEGIN "DATA\r\n");

	world_init(&w);
	serve(&w);
	feed(&w, in, 65536);
	assert_true(lmtp_in_message(w.s));
	in = STR("\n\r\n.\r\n");
	while (lmtp_want(w.s) == LMTP_WANT_INPUT)
		in.p += lmtp_feed(w.s, (struct str){in.p, 1});
	assert_int_equal(lmtp_want(w.s), LMTP_WANT_RESET);
	assert_non_null(lmtp_refusal(w.s));
	assert_int_equal(lmtp_refusal(w.s)->code, 554);
	lmtp_done(w.s);
	assert_null(lmtp_refusal(w.s));
	assert_false(lmtp_in_message(w.s));
	world_fini(&w);
}

static void goodbye_at_any_time(void **state UNUSED)
{
	static const char *const before[] = {
		"",
		HELLO,
		HELLO FROM,
		BEGIN,
		BEGIN "DATA\r\n",
		BEGIN "DATA\r\nabc",
		BEGIN "BDAT 5\r\nabc",
		BEGIN "BDAT 3\r\nabc",
		HELLO "BDAT 5\r\nabc",
	};

	for (size_t i = 0; i < countof(before); i++) {
		struct world w;

		world_init(&w);
		serve(&w);
		feed(&w, str_of(before[i]), 65536);
		buf_clear(&w.said);
		lmtp_goodbye(w.s, "4.4.2", "You took too long");
		lmtp_goodbye(w.s, "4.4.2", "Said once");
		serve(&w);
		is("the answer", buf_str(&w.said),
		   STR("421 4.4.2 You took too long, closing\r\n"));
		assert_int_equal(lmtp_want(w.s), LMTP_WANT_CLOSE);
		assert_int_equal(lmtp_feed(w.s, STR("NOOP\r\n")), 0);
		world_fini(&w);
	}
}

/* Chunks far larger than a piece, cut by nothing but the core itself. */
static void a_large_chunk_is_lent_in_pieces(void **state UNUSED)
{
	enum { N = 100000 };
	struct lmtp_limits limits = {N, 1, 1};
	struct world w;
	struct buf in, want;

	buf_init(&in, 2 * N);
	buf_init(&want, 2 * N);
	buf_printf(&in, BEGIN "BDAT %u LAST\r\n", (unsigned)N);
	buf_putc(&want, '|');
	for (int i = 0; i < N / 4; i++) {
		buf_put(&in, STR(".x\r\n"));
		buf_put(&want, STR("..x\r\n"));
	}
	buf_put(&want, STR(".\r\n"));

	world_init(&w);
	lmtp_free(&w.s);
	w.s = lmtp_new(&limits, STR("mx"));
	buf_fini(&w.writing);
	buf_fini(&w.stored);
	buf_init(&w.writing, 2 * N);
	buf_init(&w.stored, 2 * N);
	serve(&w);
	for (struct str rest = buf_str(&in); rest.n > 0;) {
		size_t used = lmtp_feed(w.s, rest);

		assert_true(used > 0);
		rest = (struct str){rest.p + used, rest.n - used};
		serve(&w);
	}
	assert_true(str_eq(buf_str(&w.stored), buf_str(&want)));
	assert_true(str_ends(buf_str(&w.said), STR(STORED)));
	buf_fini(&in);
	buf_fini(&want);
	world_fini(&w);
}

/* Not even its first octets: the number alone says that it is too large. */
static void a_chunk_that_cannot_fit_is_not_written(void **state UNUSED)
{
	static const char *const announced[] = {
		BEGIN "BDAT 1001\r\nabc", BEGIN "BDAT 1000\r\nabc",
		BEGIN "BDAT 18446744073709551615 LAST\r\nabc",
		BEGIN "BDAT 1\r\nxBDAT 1000\r\nabc"};
	static const size_t written[] = {0, 3, 0, 1};

	for (size_t i = 0; i < countof(announced); i++) {
		struct world w;

		world_init(&w);
		serve(&w);
		feed(&w, str_of(announced[i]), 65536);
		assert_int_equal(w.writing.n, written[i]);
		world_fini(&w);
	}
}

/* OFFERED - what LHLO says where both are offered; `tls` is "250-STARTTLS\r\n" or nothing */
#define OFFERED(tls)                                                            \
	"250-mx.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"   \
	"250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 1000\r\n250-CHUNKING\r\n" tls \
	"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n250 XFORWARD IDENT\r\n"
#define READY_TLS  "220 2.0.0 Ready to start TLS\r\n(TLS)\n"
#define OFFERS     OFFERED("250-STARTTLS\r\n")
#define OFFERS_TLS OFFERED("")
#define AGAIN      "220 mx.example.org LMTP ready\r\n"
#define XC_HOW     "501 5.5.4 Syntax: XCLIENT attribute=value\r\n"
#define XC_LATE    "503 5.5.1 XCLIENT comes before MAIL\r\n"
#define TLS_LATE   "503 5.5.1 LHLO comes first, and STARTTLS before MAIL\r\n"

static void what_is_offered_begins_everything_again(void **state UNUSED)
{
	static const struct {
		const char *in, *out, *peer_name;
	} offered[] = {
		/* clang-format off */
		{HELLO "STARTTLS\r\n", OFFERS READY_TLS, ""},
		{HELLO "STARTTLS\r\n" FROM, OFFERS READY_TLS NO_LHLO, ""},
		{HELLO "starttls \r\n" HELLO "STARTTLS\r\n", OFFERS READY_TLS OFFERS_TLS UNKNOWN, "client.example"},
		{"STARTTLS\r\n", TLS_LATE, ""},
		{HELLO "STARTTLS x\r\nSTARTTLSX\r\nXSTARTTLS\r\n STARTTLS\r\n", OFFERS NO_ARG UNKNOWN UNKNOWN UNKNOWN, "client.example"},
		{HELLO "STARTTLS\t\r\n", OFFERS NOT_TEXT, "client.example"},
		{HELLO "STARTTLS\nNOOP\r\n", OFFERS NOT_LINE, "client.example"},
		{HELLO FROM "STARTTLS\r\n" TO "STARTTLS\r\n", OFFERS FROM_OK TLS_LATE TO_OK TLS_LATE, "client.example"},
		{HELLO "XFORWARD IDENT=abcd\r\nSTARTTLS\r\n" HELLO, OFFERS "250 2.0.0 Ok\r\n" READY_TLS OFFERS_TLS, "client.example"},
		{"XCLIENT ADDR=192.0.2.7 PORT=99\r\n" FROM, "(client 99)\n" AGAIN NO_LHLO, ""},
		{HELLO "XCLIENT ADDR=192.0.2.7 PORT=98 HELO=a.example\r\n" HELLO FROM, OFFERS "(client 98)\n" AGAIN OFFERS FROM_OK, "a.example"},
		{"XCLIENT HELO=[UNAVAILABLE] PORT=97\r\n" HELLO, "(client 97)\n" AGAIN OFFERS, "client.example"},
		{"XCLIENT HELO=a+20b PORT=96\r\n" HELLO, "(client 96)\n" AGAIN OFFERS, "client.example"},
		{HELLO "XCLIENT\r\nXCLIENT ADDR=x\r\nXCLIENT X\r\n", OFFERS XC_HOW XC_HOW XC_HOW, "client.example"},
		{HELLO FROM "XCLIENT ADDR=192.0.2.7\r\n" TO, OFFERS FROM_OK XC_LATE TO_OK, "client.example"},
		/* clang-format on */
	};

	for (size_t i = 0; i < countof(offered); i++) {
		for (size_t piece = 1; piece < 100; piece += 24) {
			struct world w;

			world_init(&w);
			lmtp_offer(w.s, true, true);
			serve(&w);
			buf_clear(&w.said);
			feed(&w, str_of(offered[i].in), piece);
			is(offered[i].in, buf_str(&w.said), str_of(offered[i].out));
			is(offered[i].in, lmtp_peer_name(w.s),
			   str_of(offered[i].peer_name));
			assert_int_equal(lmtp_ident(w.s).n, 0);
			world_fini(&w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(the_envelope_is_there_while_it_lasts),
		cmocka_unit_test(the_client_may_tell_a_queue_id),
		cmocka_unit_test(a_refusal_can_be_asked_for),
		cmocka_unit_test(what_is_offered_begins_everything_again),
		cmocka_unit_test(goodbye_at_any_time),
		cmocka_unit_test(a_large_chunk_is_lent_in_pieces),
		cmocka_unit_test(a_chunk_that_cannot_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
