<?php
// SPDX-License-Identifier: ISC
// Three messages through one Symfony transport: symfony.php DSN RECIPIENT-PREFIX
$autoload = '/usr/share/php/Symfony/Component/Mailer/autoload.php';
require $autoload;

use Symfony\Component\Mailer\Envelope;
use Symfony\Component\Mailer\Transport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

$transport = Transport::fromDsn($argv[1]);
for ($n = 1; $n <= 3; $n++) {
    $to = new Address($argv[2] . $n . '@example.net');
    $email = (new Email())->from('carol@example.org')->to($to)->subject("Grüße, schöne $n")->text(file_get_contents('/home/carol/body'));
    $transport->send($email, new Envelope(new Address('symfony-back@example.org'), [$to]));
}
