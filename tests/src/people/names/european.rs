//! Names of Polish, Romanian and West African people in the United Kingdom, commonest first, in their own spelling.

/// Polish men.
pub const POLISH_MALE: &str = "Piotr Krzysztof Andrzej Tomasz Paweł Marcin Michał Jan Jakub Adam Marek Łukasz Grzegorz \
    Mateusz Wojciech Mariusz Dariusz Zbigniew Jerzy Kamil Rafał Robert Dawid Szymon Józef Maciej Kacper Bartosz Filip \
    Jacek Artur Sebastian Antoni Sławomir Damian Przemysław Patryk Daniel Stanisław Karol Aleksander Mikołaj Radosław";

/// Polish women.
pub const POLISH_FEMALE: &str = "Anna Maria Katarzyna Małgorzata Agnieszka Barbara Ewa Krystyna Magdalena Elżbieta Joanna \
    Aleksandra Zofia Monika Teresa Danuta Natalia Julia Karolina Marta Beata Dorota Alicja Jadwiga Janina Irena Halina \
    Iwona Jolanta Zuzanna Wiktoria Justyna Sylwia Oliwia Weronika Maja Hanna Lena Kinga Paulina Izabela Edyta Renata";

/// Polish family names in the form of a man; those in -ski, -cki and -dzki end in -a for a woman.
pub const POLISH_FAMILY: &str = "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański \
    Woźniak Dąbrowski Kozłowski Jankowski Mazur Wojciechowski Kwiatkowski Krawczyk Kaczmarek Piotrowski Grabowski Zając \
    Pawłowski Michalski Król Wieczorek Jabłoński Wróbel Nowakowski Majewski Olszewski Stępień Malinowski Jaworski \
    Adamczyk Dudek Nowicki Pawlak Górski Witkowski Walczak Sikora Baran Rutkowski Michalak Szewczyk Ostrowski \
    Tomaszewski Pietrzak Duda Zalewski Wróblewski Jasiński Marciniak Sadowski Bąk Zawadzki Jakubowski Wilk Chmielewski \
    Borkowski Włodarczyk Sokołowski Szczepański Sawicki Lis Kucharski Mazurek Kubiak Kalinowski Wysocki Maciejewski";

/// Romanian men.
pub const ROMANIAN_MALE: &str = "Andrei Alexandru Ionuț Ștefan Mihai Gheorghe Ion Constantin Vasile Nicolae Marian Cristian \
    Florin Daniel Adrian Bogdan Gabriel Marius Cătălin Vlad Răzvan Ciprian Dumitru Radu Lucian Petru Sorin Valentin Ilie \
    Robert David Luca Matei Tudor Costel Viorel Dănuț Cosmin Darius Eduard Emil Iulian Laurențiu Liviu Octavian";

/// Romanian women.
pub const ROMANIAN_FEMALE: &str = "Maria Elena Ioana Andreea Mihaela Ana Alexandra Cristina Daniela Gabriela Alina Simona \
    Mariana Georgiana Florentina Nicoleta Raluca Roxana Adriana Bianca Carmen Monica Loredana Mirela Diana Laura Oana \
    Denisa Anca Larisa Sorina Valentina Viorica Violeta Corina Ramona Ștefania Rodica Irina Lavinia Luminița";

/// Romanian family names.
pub const ROMANIAN_FAMILY: &str = "Popa Popescu Ionescu Pop Radu Dumitru Stan Stoica Gheorghe Matei Ciobanu Rusu Munteanu \
    Moldovan Constantin Șerban Lazăr Florea Dinu Marin Tudor Nistor Ene Dobre Barbu Niță Cristea Neagu Mocanu Toma \
    Sandu Ilie Oprea Vasile Dragomir Preda Manole Costea Bucur Stănescu Georgescu Petrescu Balan Lungu Anghel Roșu";

/// West African men: Yoruba, Igbo, Akan and others.
pub const AFRICAN_MALE: &str = "Emmanuel Samuel Oluwaseun Kwame Daniel Chukwuemeka Kofi Ayodele Babatunde Joseph David \
    Olumide Tunde Femi Kwabena Chinedu Ikechukwu Obinna Emeka Kunle Segun Yaw Kwaku Adebayo Oluwatobi Michael Isaac \
    Ifeanyi Kelechi Uchenna Nnamdi Tolu Wale Gbenga Akin Kojo Nana Ebenezer Godfrey Sunday Moses Chidi Lamin Ousman";

/// West African women.
pub const AFRICAN_FEMALE: &str = "Grace Blessing Oluwaseun Ama Folake Ngozi Abena Chioma Esther Mercy Yetunde Funmilayo \
    Akua Adwoa Ifeoma Temitope Bukola Titilayo Adaeze Comfort Patience Joy Victoria Ruth Amarachi Chinwe Nkechi Uchenna \
    Afia Efua Akosua Yaa Olayinka Omolara Ronke Sade Tolulope Precious Gifty Faustina Beatrice Fatou Mariama Isatou";

/// West African family names.
pub const AFRICAN_FAMILY: &str = "Mensah Owusu Okafor Adeyemi Boateng Okonkwo Asante Osei Adebayo Eze Agyeman Appiah Nwosu \
    Ogunleye Williams Johnson Amoah Ansah Obi Okoro Balogun Oyelaran Afolabi Ajayi Bello Opoku Antwi Frimpong Acheampong \
    Danso Addo Amponsah Chukwu Nwachukwu Onyekachi Ibrahim Akinola Adesanya Ogunbanjo Oladipo Abiodun Olatunji Fashola \
    Jallow Ceesay Sarr Touray Bah Sesay Kamara Conteh Koroma Bangura Asamoah Yeboah Gyamfi Ofori Oduro Quaye Lamptey";
