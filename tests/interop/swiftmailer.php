<?php
// SPDX-License-Identifier: ISC
// Three messages through one SwiftMailer transport: swiftmailer.php smtp:PORT|COMMAND RECIPIENT-PREFIX
require '/usr/share/php/Swift/autoload.php';

$transport = strncmp($argv[1], 'smtp:', 5) == 0 ? new Swift_SmtpTransport('127.0.0.1', (int)substr($argv[1], 5)) : new Swift_SendmailTransport($argv[1]);
$mailer = new Swift_Mailer($transport);
for ($n = 1; $n <= 3; $n++) {
    $message = (new Swift_Message("Grüße, schöne $n"))->setFrom(['carol@example.org' => 'Cäröl'])->setTo($argv[2] . $n . '@example.net')
        ->setReturnPath('swift-back@example.org')->setBody(file_get_contents('/home/carol/body'))->attach(Swift_Attachment::fromPath('/home/carol/blob'));
    if ($mailer->send($message) != 1) {
        echo "message $n was not sent\n";
        exit(1);
    }
}
