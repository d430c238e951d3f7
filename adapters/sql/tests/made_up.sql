CREATE TABLE persons (person_ref VARCHAR(10), person_no INTEGER, nhs_id VARCHAR(20), traced CHAR(3), title VARCHAR(10),
    first_name VARCHAR(40), last_name CHAR(40), date_of_birth DATE, gender CHAR(1), address_1 VARCHAR(60), postcode CHAR(10),
    phone VARCHAR(30));
CREATE TABLE allergy (id INTEGER, patientRef VARCHAR(10), concept_code VARCHAR(20), concept_display CHAR(60),
    clinicalStatus CHAR(12), onsetDate DATE, endDate VARCHAR(20), assertedDate {local}, changed {moment},
    severity VARCHAR(10));
CREATE TABLE medication (id INTEGER, patientRef VARCHAR(10), name VARCHAR(60), dose {decimal}, route VARCHAR(20),
    guid CHAR(36), stopped INTEGER);
CREATE TABLE docs (id INTEGER, patientRef VARCHAR(10), title VARCHAR(60), mime VARCHAR(40), content {bytes}, secret {bytes});
CREATE TABLE touched (n INTEGER);
INSERT INTO persons VALUES
    ('P1', 101, '999 000 0018', 'Y', 'Ms', 'Zoë', 'O''Made-Up', '1980-05-01', 'F', '1 High Street', 'B1 1AA', '0121 496 0000'),
    ('P2', 102, '9990000019', 'N', NULL, 'Ann', 'Other', NULL, 'X', NULL, NULL, NULL),
    ('P3', 103, NULL, NULL, NULL, NULL, 'Unknown', '1999-12-31', NULL, NULL, NULL, NULL),
    (NULL, 104, NULL, NULL, NULL, 'No', 'Reference', NULL, NULL, NULL, NULL, NULL);
INSERT INTO allergy VALUES
    (1, 'P1', '91936005', 'Penicillin — anaphylaxis', 'active', '2019-04-03', NULL, '2019-04-03 10:15:00', '2024-07-01 09:00:00{utc}', 'high'),
    (2, 'P1', '716186003', 'No known allergies', 'active', NULL, NULL, '2020-01-01 00:00:00', NULL, NULL),
    (3, 'P1', '91934008', 'Nuts', 'dormant', '2020-01-01', '31/31/2020', NULL, NULL, NULL),
    (NULL, 'P1', '91934008', 'No id', 'active', NULL, NULL, NULL, NULL, NULL),
    (5, 'P1', '91934008', NULL, 'active', NULL, NULL, NULL, NULL, NULL),
    (6, 'P3', '91934008', 'Nuts', 'active', NULL, NULL, NULL, NULL, NULL);
INSERT INTO medication VALUES (1, 'P1', 'Made-up tablets', 1.10, NULL, 'b0000000-0000-4000-8000-000000000001', 0);
UPDATE medication SET dose = '1.10';
INSERT INTO docs VALUES (1, 'P1', 'Letter', 'application/pdf', {pdf}, {secret});
